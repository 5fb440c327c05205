#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare the #include lines of each folder with the table in docs/architecture.md.

    check_layers.py ROOT

The table "Layers" has a folder in its first column and what its files may include in the
second: folders or files of the tree, or "everything". A folder may always include itself. The longest folder that
contains a file is the one that counts. An include that the table does not allow is an error, and
so is an entry of the table that no include needs, and C code in a folder without a row.
"""
import os
import re
import sys

import tree

DOCUMENT = "docs/architecture.md"
# Where the compiler looks for headers (meson.build: inc), in its order.
SEARCHED = ("", "include/", "iokit/include/")
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]+([<\"])([^>\"\n]+)[>\"]", re.M)


def covers(entry, path):
    return path == entry or (entry.endswith("/") and path.startswith(entry))


def main():
    root = sys.argv[1]
    rows = {tree.names(row[0])[0]: None if row[1] == "everything" else tree.names(row[1])
            for row in tree.table(tree.read(root, DOCUMENT), "Layers")}
    paths = tree.files(root)
    known, faults, used, count = set(paths), [], set(), 0
    for path in (one for one in paths if one.endswith(tree.CODE)):
        rooms = [room for room in rows if covers(room, path)]
        if not rooms:
            faults.append(f"{path}: {DOCUMENT} has no row for its folder")
            continue
        room = max(rooms, key=len)
        used.add((room, ""))
        text = tree.read(root, path)
        for found in INCLUDE.finditer(tree.without_comments(text)):
            target = next((one + found[2] for one in SEARCHED if one + found[2] in known), None)
            where = f"{path}:{text.count(chr(10), 0, found.start()) + 1}"
            if not target:
                if found[1] == '"':
                    faults.append(f"{where}: {found[2]} is no file of the tree; "
                                  "headers are included by their path from its top")
                continue
            count += 1
            if rows[room] is None or covers(room, target):
                continue
            allowed = [entry for entry in rows[room] if covers(entry, target)]
            used.update((room, entry) for entry in allowed)
            if not allowed:
                faults.append(f"{where}: {room} may not include {target} ({DOCUMENT}, Layers)")
    for room, entries in rows.items():
        faults += [f"{DOCUMENT}: {room} " +
                   (f"includes nothing of {entry}" if entry else "has no C files")
                   for entry in ["", *(entries or [])] if (room, entry) not in used]
    if not count:
        faults.append("no #include of the tree's own was found")
    print(f"{count} includes in {len(rows)} folders, {len(faults)} faults")
    sys.exit("\n".join(faults) if faults else 0)


if __name__ == "__main__":
    main()
