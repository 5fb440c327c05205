# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# The VMM unplugs a controller while a client writes to it: the client is told, dextd closes
# the device, and serves the others.

# Until it fails, which nothing but the unplug brings about.
writes_until_failure() {
	while ./example-nvme 01:00.0 write 0 131072 </dev/zero; do :; done
}

device_gone() {
	[ ! -e "/sys/bus/pci/devices/$PULLED" ]
}

# Prints what the kernel and dextd said, and ends the writer, if it is not.
removed() {
	settles 100 device_gone && return
	dmesg | grep -i 'pciehp\|vfio' | tail -n 3
	tail -n 2 /tmp/dextd.log
	# Where the threads of both wait, in the kernel.
	for task in "/proc/$DEXTD"/task/* "/proc/$(pidof example-nvme)"/task/*; do
		echo "$(cat "$task/comm"): $(cat "$task/wchan"), call $(cat "$task/syscall")"
	done >/dev/console 2>&1
	kill "$writer"
	killall -9 example-nvme
	return 1
}

# By a call that is refused, by a mapped BAR that has gone, or when it looks for the device.
says_gone() {
	tail -n 1 /tmp/unplug.log | grep 'it was removed\|error 0xe00002d7\|no such device' && return
	cat /tmp/unplug.log
	return 1
}

writes_until_failure >/tmp/unplug.log 2>&1 &
writer=$!
check "$KERNEL: unplug: the controller is at work" settles 20 something_pinned 100
report "unplug now"
check "$KERNEL: unplug: the kernel has removed the device" removed
wait $writer
check "$KERNEL: unplug: the client ends, and says why" says_gone
check "$KERNEL: unplug: dextd says what has happened" grep -q "$PULLED: the host takes the device back" /tmp/dextd.log
check "$KERNEL: unplug: it is listed no longer" settles 5 no prints '^01:00.0' dextctl list
check "$KERNEL: unplug: nothing stays pinned" settles 5 nothing_pinned
check "$KERNEL: unplug: the other devices are served" ./example-edu 00:06.0
