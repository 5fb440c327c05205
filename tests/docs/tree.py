# SPDX-License-Identifier: BSD-3-Clause
"""The source tree as the checks of this folder read it."""
import os
import re

CODE = (".c", ".h")
# Comments, or strings and characters, which may look like comments inside.
TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def files(root):
    """All files below @root, as paths relative to it; builds and hidden files left out."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [one for one in folders
                      if not one.startswith(".") and not re.match(r"build(-|$)", one) and
                      one != "__pycache__"]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names
                  if not name.startswith(".")]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def blank(text):
    """@text as blanks, so that what follows keeps its line."""
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return TOKEN.sub(lambda one: blank(one.group()) if one.group().startswith("/") else one.group(),
                     text)


def comments(text):
    """The comments of C code, each with the number of its first line."""
    return [(text.count("\n", 0, one.start()) + 1, one.group())
            for one in TOKEN.finditer(text) if one.group().startswith("/")]


def table(text, heading):
    """The rows of the first Markdown table under a heading, as lists of cells."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    if not section:
        return []
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in section.group(1).split("\n") if line.startswith("|")]
    return rows[2:]


def names(cell):
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)
