#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Usage: qmp.py SOCKET COMMAND [ARGUMENTS [EVENT [SECONDS]]]

Sends one command of the QEMU Machine Protocol to the monitor at SOCKET. ARGUMENTS is
JSON. With EVENT, waits until QEMU has sent it, for at most SECONDS (60). Prints the
result of the command. The exit status is 1 after an error or a timeout."""

import json
import socket
import sys
import time


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.pending = b""
        self.events = []

    def message(self, deadline):
        while b"\n" not in self.pending:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            received = self.socket.recv(65536)
            if not received:
                sys.exit("qmp: the VMM has closed the connection")
            self.pending += received
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def execute(self, command, arguments, deadline):
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self.message(deadline)
            if "error" in message:
                sys.exit(f"qmp: {command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
            if "event" in message:
                self.events.append(message["event"])

    def wait(self, event, deadline):
        while event not in self.events:
            self.events.append(self.message(deadline).get("event"))


def main():
    if not 3 <= len(sys.argv) <= 6:
        sys.exit(__doc__)
    path, command = sys.argv[1:3]
    arguments = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    deadline = time.monotonic() + (float(sys.argv[5]) if len(sys.argv) > 5 else 60)
    monitor = Monitor(path)
    monitor.message(deadline)  # the greeting
    monitor.execute("qmp_capabilities", {}, deadline)
    print(json.dumps(monitor.execute(command, arguments, deadline)))
    if len(sys.argv) > 4:
        monitor.wait(sys.argv[4], deadline)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"qmp: {error}")
