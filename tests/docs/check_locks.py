#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare the locks of the product's code with the table in docs/architecture.md.

    check_locks.py ROOT

The table "Locks" has a lock and its conditions in the first column, and in the third the locks
that are taken while it is held. A member of a structure is written `structure.member`, any other
lock `file:name`, and `file:structure.member` where two structures have one name. Each lock of
the code is in the table, each lock of the table in the code, and the order has no cycle.
"""
import re
import sys

import tree

DOCUMENT = "docs/architecture.md"
ROOMS = ("include/", "common/", "client/", "iokit/", "driver/", "provider/", "vfio-user/", "tools/")
LOCK = re.compile(r"(?:^|[{};])\s*(?:static[ \t]+|extern[ \t]+)*"
                  r"(?:pthread_(?:mutex|rwlock|cond|spinlock|barrier)_t|sem_t|mtx_t|cnd_t)"
                  r"[ \t]+(\w+(?:[ \t]*,[ \t]*\w+)*)[ \t]*(?:=[^;]*|\[[^;]*)?;", re.M)


def structure(code, position):
    """The tag of the struct or union around a position, or the variable's name where it has none."""
    depth = 0
    for at in range(position - 1, -1, -1):
        depth += (code[at] == "}") - (code[at] == "{")
        if depth < 0:
            head = re.search(r"\b(?:struct|union)(?:[ \t\n]+(\w+))?[ \t\n]*$", code[:at])
            if not head:
                return None # a function's body
            if head[1]:
                return head[1]
            # No tag: what is declared behind the closing brace.
            inside, end = 1, at + 1
            while inside:
                inside += (code[end] == "{") - (code[end] == "}")
                end += 1
            name = re.match(r"[ \t\n]*(\w+)", code[end:])
            return name[1] if name else structure(code, at)
    return None


def locks(root):
    """All locks and conditions of the product: name, and where it is declared."""
    found = []
    for path in tree.files(root):
        if not path.startswith(ROOMS) or not path.endswith(tree.CODE):
            continue
        code = tree.without_comments(tree.read(root, path))
        for one in LOCK.finditer(code):
            tag = structure(code, one.start(1))
            for name in re.split(r"[ \t]*,[ \t]*", one[1]):
                name = f"{tag}.{name}" if tag else f"{path}:{name}"
                where = f"{path}:{code.count(chr(10), 0, one.start(1)) + 1}"
                found.append((name, path, where))
    # Two structures of one name are told apart by their files.
    names = [name for name, _, _ in found]
    return {name if names.count(name) == 1 else f"{path}:{name}": where
            for name, path, where in found}


def cycle(order):
    """A lock that is taken before itself, by way of others; or None."""
    for start in order:
        seen, todo = set(), list(order[start])
        while todo:
            lock = todo.pop()
            if lock == start:
                return start
            if lock not in seen:
                seen.add(lock)
                todo += order.get(lock, [])
    return None


def main():
    root = sys.argv[1]
    rows = tree.table(tree.read(root, DOCUMENT), "Locks")
    code, faults = locks(root), []
    order = {tree.names(row[0])[0]: tree.names(row[2]) for row in rows}
    listed = [name for row in rows for name in tree.names(row[0])]
    faults += [f"{where}: {name} is not in {DOCUMENT}, Locks"
               for name, where in code.items() if name not in listed]
    faults += [f"{DOCUMENT}: {name} is in no file" for name in listed if name not in code]
    faults += [f"{DOCUMENT}: {name} stands twice" for name in set(listed) if listed.count(name) > 1]
    faults += [f"{DOCUMENT}: {lock} is taken before {other}, which has no row of its own"
               for lock, others in order.items() for other in others if other not in order]
    if lock := cycle(order):
        faults.append(f"{DOCUMENT}: the order of {lock} is a cycle")
    if not code:
        faults.append("no lock was found")
    print(f"{len(code)} locks and conditions, {len(faults)} faults")
    sys.exit("\n".join(faults) if faults else 0)


if __name__ == "__main__":
    main()
