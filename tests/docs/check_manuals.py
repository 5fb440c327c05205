#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare the manual pages with the help of the programs, and check them with mandoc.

    check_manuals.py ROOT TOOLS PAGES

ROOT is the source tree, TOOLS the folder of the programs, PAGES that of the generated pages.
Options, the commands of dextctl with their arguments, and the keys of each type of device must be
the same in both, in the same order. mandoc must find nothing; without it that is left out.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

import tree

# The page of each program, and the number of options it has at least.
PROGRAMS = {"dextctl": ("man/dextctl.1", 9), "dextd": ("man/dextd.8", 12),
            "dext-vfio-user": ("man/dext-vfio-user.8", 12)}


def printed_help(tools, *words):
    return subprocess.run([os.path.join(tools, words[0]), *words[1:]], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def help_options(text):
    """"-w, --width" and "--width" of the lines of a help."""
    return [name for found in re.finditer(r"^  (?:-(\w), |    )--([\w-]+)", text, re.M)
            for name in found.groups() if name]


def page_options(page):
    """The same of lines such as ".It Fl s , -socket Ar path"."""
    names = []
    for line in re.findall(r"^\.It (Fl .*)$", page, re.M):
        is_option = False
        for word in line.split():
            is_option = word == "Fl" or (is_option and word != "Ar" and word != "Cm")
            if is_option and word not in ("Fl", ","):
                names.append(word.removeprefix("-"))
    return names


def section(page, title):
    """The lines of a section or subsection whose title begins with @title."""
    found = re.search(rf"^\.S[hs] {re.escape(title)}.*\n((?:(?!\.S[hs] ).*\n)*)", page, re.M)
    return found.group(1) if found else ""


def help_commands(text):
    """Pairs of a command and its arguments: ("config read", ["address", "register"])."""
    listing = text.split("\nCommands:\n")[1].split("\n\n")[0]
    commands = []
    for found in re.finditer(r"^  ([a-z]+(?: [a-z]+)?) (.*?)  ", listing, re.M):
        arguments = [one.lower().replace("addr", "address")
                     for one in re.findall("[A-Z]+", found[2])]
        commands.append((found[1], arguments))
    return commands


def page_commands(page):
    """The same of lines such as ".It Cm config read Ar address register", without "help"."""
    commands = []
    for found in re.finditer(r"^\.It Cm ([a-z]+(?: [a-z]+)*)(.*)$", page, re.M):
        arguments = [word for word in found[2].split() if word not in ("Ar", "Op", "Ns", ":")]
        if found[1] != "help":
            commands.append((found[1], arguments))
    return commands


def help_keys(text):
    """The keys of each type of device; those of all software devices are of type ""."""
    keys, kind = {}, None
    for line in text.split("\nDevices:\n")[1].split("\n\n")[0].splitlines():
        found = re.match(r"  (\w+): |  (TYPE),|    ([\w-]+)=", line)
        if not found:
            continue
        if found[3]:
            keys[kind].append(found[3])
        else:
            kind = found[1] or ""
            keys[kind] = []
    return keys


def page_keys(page, kind):
    text = section(page, f"Type {kind}:" if kind else "Keys of every software device")
    return re.findall(r"^\.It (?:Xo\n\.)?Cm ([\w-]+) ?Ns = ", text, re.M)


def compare(faults, what, ours, theirs):
    if ours != theirs:
        faults.append(f"{what}: the help has {ours}, the page {theirs}")


def lint(paths):
    """The findings of mandoc, one per line."""
    result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *paths], text=True,
                            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.stdout.splitlines()


def main():
    root, tools, pages = sys.argv[1:]
    faults, compared = [], 0
    for program, (path, count) in PROGRAMS.items():
        page, text = tree.read(root, path), printed_help(tools, program, "--help")
        options = help_options(text)
        if len(options) < count:
            faults.append(f"{program}: only {len(options)} options were found in its help")
        compare(faults, f"{path}: options", sorted(options), sorted(page_options(page)))
        compared += len(options)

    page, text = tree.read(root, "man/dextctl.1"), printed_help(tools, "dextctl", "--help")
    commands = help_commands(text)
    if len(commands) < 17:
        faults.append(f"dextctl: only {len(commands)} commands were found in its help")
    compare(faults, "man/dextctl.1: COMMANDS", commands,
            page_commands(section(page, "COMMANDS")))
    compare(faults, "man/dextctl.1: SYNOPSIS", [name for name, _ in commands],
            [name.strip() for name in re.findall(r"^\.Cm ([a-z ]+)$", section(page, "SYNOPSIS"),
                                                 re.M) if name != "help"])
    compared += len(commands)

    page, text = tree.read(root, "man/dextpci.7"), printed_help(tools, "dextd", "--help")
    kinds = help_keys(text)
    if len(kinds) < 5:
        faults.append(f"dextd: only {len(kinds)} types of devices were found in its help")
    for kind, keys in kinds.items():
        compare(faults, f"man/dextpci.7: keys of {kind or 'all devices'}", keys,
                page_keys(page, kind))
        compared += len(keys)

    if shutil.which("mandoc"):
        generated = sorted(glob.glob(os.path.join(pages, "*.3")))
        if len(generated) < 50:
            faults.append(f"{pages}: only {len(generated)} generated pages")
        faults += lint(sorted(glob.glob(os.path.join(root, "man", "*.[178]"))) + generated)
    else:
        print("mandoc is not installed: the pages are not checked by it")
    print(f"{compared} options, commands and keys, {len(faults)} faults")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
