#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whether docs/macos.md lists the IOKit calls of the client library, and tests that exist.

    check_iokit.py ROOT LIBRARY

The first column of "IOKit calls" is compared with what the built library imports of IOKit,
CoreFoundation, libdispatch and mach. IOUser*() are the runtime's own: macOS has none, and the
client library does without them there. The functions of the last column are those of tests.
"""
import re
import subprocess
import sys

import tree

APPLE = re.compile(r"(?:IO(?!User)|CF|__CF|dispatch_|mach_)\w+")
OF_HEADERS = {"CFSTR"} # a macro


def imports(library):
    listing = subprocess.run(["nm", "-D", "--undefined-only", library], check=True,
                             capture_output=True, text=True).stdout
    return {name for line in listing.split("\n") if line
            for name in [line.split()[-1].split("@")[0]] if APPLE.fullmatch(name)}


def main():
    root, library = sys.argv[1:3]
    rows = tree.table(tree.read(root, "docs/macos.md"), "IOKit calls")
    listed = {name for row in rows for name in tree.names(row[0])} - OF_HEADERS
    called = imports(library)
    tests = " ".join(tree.read(root, path) for path in tree.files(root)
                     if path.startswith("tests/") and path.endswith(".c"))
    faults = [f"{name} is called and not listed" for name in sorted(called - listed)]
    faults += [f"{name} is listed and not called" for name in sorted(listed - called)]
    for row in rows:
        functions = tree.names(row[-1])
        faults += [f"{row[0]}: no test"] if not functions else []
        faults += [f"{row[0]}: {name}: no such test" for name in functions
                   if not re.search(rf"\b{name}[,)]", tests)]
    print(f"{len(rows)} rows, {len(called)} calls, {len(faults)} faults")
    sys.exit("\n".join("docs/macos.md: " + fault for fault in faults) if faults else 0)


if __name__ == "__main__":
    main()
