#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whether files and functions that documents and comments name exist.

    check_references.py ROOT

Read are the Markdown files, the manual pages, and the comments of C files and of scripts. A file
name (common/number.c, or number.c alone) must be the name of a file of the tree, or the end of
one. A function (name() in comments and backticks, .Fn in manual pages) and an identifier in
backticks must occur in C code or a script outside of comments.
"""
import re
import sys

import tree

EXTENSIONS = "c|h|py|sh|md|map|pml|build|rst|service|conf"
FILE = re.compile(rf"(?<![\w./$~<{{*-])((?:[\w.@-]+/)*[\w@-][\w.@-]*\.(?:{EXTENSIONS}))\b(?![\w/(-])")
FOLDER_FILE = re.compile(r"(?<![\w./$~<-])((?:common|client|iokit|driver|provider|vfio-user|tools|"
                         r"tests|man|docs|vm|systemd|include|examples|benchmarks)/[\w./-]*\w)")
FUNCTION = re.compile(r"(?<![\w.:-])([A-Za-z_]\w+)\(\)")
WORD = re.compile(r"[A-Za-z_]\w*")
SCRIPT = (".py", ".sh")

# Files of other projects, by their beginnings, and what the reader creates.
OTHER_FILES = (
    "linux/", "Documentation/", "pci_regs.h", # Linux
    "docs/specs/edu.rst", "docs/interop/vfio-user.rst", # QEMU
    "sys/stat.h", "runetype.h", "mach-o/loader.h", "IOKit/IOKitKeys.h", "IOTypes.h", "OSMessageNotification.h", "bsd/kern/", # macOS
    "uthash.h",
    "dextd.conf", # written by the administrator
)
# What the reader of docs/hacking.md makes.
RECIPES = ("provider/soft/counter", "tests/unit/test-counter.c", "counter_sources", "GET_GENERATION")
# Functions of Linux, of xnu and of libraries that comments name and no code of ours calls.
OTHER_FUNCTIONS = ("blkdev_fallocate", "pci_init", "poll_nocancel")


def is_script(root, path):
    return path.endswith(SCRIPT) or ("." not in path.rsplit("/", 1)[-1] and
                                     tree.read(root, path)[:2] == "#!")


def script_comments(text):
    return [(number, line[found.start():]) for number, line in enumerate(text.split("\n"), 1)
            if (found := re.search(r"(?:^|\s)#\s", line))]


def manual(text):
    """A manual page's functions as name(), and its plain text; not what its examples show."""
    text = re.sub(r"^\.Bd -literal.*?^\.Ed", lambda one: tree.blank(one[0]), text,
                  flags=re.S | re.M)
    return re.sub(r"^\.Fn (\w+)", r"\1()", text, flags=re.M)


def passages(root, path):
    """What is to be checked of a file: line numbers and texts, and whether it is Markdown."""
    text = tree.read(root, path)
    if path.endswith(".md"):
        # Examples are commands, not references.
        text = re.sub(r"^ *```.*?^ *```|^    .*?$", lambda one: tree.blank(one[0]), text,
                      flags=re.S | re.M)
        return list(enumerate(text.split("\n"), 1))
    if re.search(r"^man/.*\.\d$", path):
        return list(enumerate(manual(text).split("\n"), 1))
    if path.endswith(tree.CODE):
        return tree.comments(text)
    return script_comments(text) if is_script(root, path) else []


def main():
    root = sys.argv[1]
    paths = [path for path in tree.files(root) if "/corpus/" not in path]
    ends = {"/".join(path.split("/")[at:]) for path in paths for at in range(path.count("/") + 1)}
    folders = {path[:at.start()] for path in paths for at in re.finditer("/", path)}
    words = set()
    for path in paths:
        if path.endswith(tree.CODE):
            words.update(WORD.findall(tree.without_comments(tree.read(root, path))))
        elif is_script(root, path) or path.endswith(("meson.build", ".in", ".pml", ".map")):
            words.update(WORD.findall(re.sub(r"(^|\s)#\s.*", r"\1", tree.read(root, path))))
    faults, count = [], 0

    def check(exists, where, text, what):
        nonlocal count
        count += 1
        if not exists:
            faults.append(f"{where}: {text}: no such {what}")

    for path in paths:
        for line, text in passages(root, path):
            found_files = {found.start(1): found[1] for found in FOLDER_FILE.finditer(text)}
            found_files.update({found.start(1): found[1] for found in FILE.finditer(text)})
            for at, name in found_files.items():
                folder = path.rsplit("/", 1)[0]
                check(name in ends or name in folders or f"{folder}/{name}" in ends or
                      name.startswith(OTHER_FILES + RECIPES),
                      f"{path}:{line + text.count(chr(10), 0, at)}", name, "file")
            for found in FUNCTION.finditer(text):
                where = f"{path}:{line + text.count(chr(10), 0, found.start())}"
                check(found[1] in words or found[1] in OTHER_FUNCTIONS, where, found[0], "function")
            if path.endswith(".md"):
                for name in re.findall(r"`([A-Za-z_]\w*_\w+)(?:\.(\w+))?`", text):
                    check(name[0] in RECIPES or all(not one or one in words for one in name),
                          f"{path}:{line}",
                          ".".join(filter(None, name)), "identifier")
    if not count:
        faults.append("no reference was found")
    print(f"{count} references, {len(faults)} faults")
    sys.exit("\n".join(faults) if faults else 0)


if __name__ == "__main__":
    main()
