#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make manual pages of section 3 from the kernel-doc comments of public headers.

    api-pages.py --list HEADER...             print the functions, one per line
    api-pages.py --output DIR HEADER...       write DIR/FUNCTION.3 for each

A public function without a comment, or a parameter in a comment that the function does not
have, is an error: the build fails, with the header and the line.
"""
import argparse
import os
import re
import sys

COMMENT = re.compile(r"/\*\*(.*?)\*/", re.S)
# A declaration at the left margin that ends in ");", attributes aside.
FUNCTION = re.compile(
    r"^(?!typedef\b|static\b|#|struct \w+ \{|\})([A-Za-z_][\w \t*]*?[ *])(\w+)\(([^;{}]*)\)"
    r"(\s*__attribute__\(\(.*?\)\))?;", re.M | re.S)


class Function:
    def __init__(self, header, line, result, name, parameters):
        self.header, self.line = header, line
        self.result, self.name = " ".join(result.split()), name
        self.parameters = split_parameters(parameters)


class Doc:
    def __init__(self, line, text):
        self.line = line
        lines = [re.sub(r"^\s*\*? ?", "", one, count=1).rstrip() for one in text.split("\n")]
        while lines and not lines[0]:
            lines.pop(0)
        while lines and not lines[-1]:
            lines.pop()
        self.names, self.briefs = [], {}
        self.parameters, self.paragraphs = [], []
        self.read(lines)

    def read(self, lines):
        while lines and re.match(r"\w+ - ", lines[0]):
            name, brief = lines.pop(0).split(" - ", 1)
            self.names.append(name)
            while lines and lines[0] and not lines[0].startswith("@") and \
                    not re.match(r"\w+ - ", lines[0]):
                brief += " " + lines.pop(0).strip()
            self.briefs[name] = brief.rstrip(".")
        paragraph = []
        for line in lines + [""]:
            if line.startswith("@"):
                names, _, text = line.partition(":")
                self.parameters.append([names.replace("@", "").split(", "), [text.strip()]])
                paragraph = None
            elif not line:
                if paragraph:
                    self.paragraphs.append(paragraph)
                paragraph = []
            elif paragraph is None:
                self.parameters[-1][1].append(line.strip())
            else:
                paragraph.append(line.strip())


def split_parameters(text):
    parts, depth, current = [], 0, ""
    for letter in " ".join(text.split()):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append(current.strip())
            current = ""
        else:
            current += letter
    return [part for part in parts + [current.strip()] if part]


def parameter_name(text):
    found = re.search(r"\(\*(\w+)\)", text) or re.search(r"(\w+)(\[[^\]]*\])?$", text)
    return found.group(1) if found else ""


def parse(path):
    """The public functions of a header, and the comment of each."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    docs = {}
    for found in COMMENT.finditer(text):
        doc = Doc(text.count("\n", 0, found.start()) + 1, found.group(1))
        for name in doc.names:
            docs[name] = doc
    # Blank the comments out, lines and all, so that declarations alone are left.
    code = re.sub(r"/\*.*?\*/", lambda one: re.sub(r"[^\n]", " ", one.group()), text, flags=re.S)
    functions = [
        Function(path, code.count("\n", 0, found.start(2)) + 1, *found.group(1, 2, 3))
        for found in FUNCTION.finditer(code)]
    return functions, docs


def check(functions, docs, path):
    """What is wrong with the header, in one line each."""
    faults = []
    parameters = {one.name: {parameter_name(each) for each in one.parameters} for one in functions}
    for function in functions:
        doc = docs.get(function.name)
        where = f"{path}:{function.line}: {function.name}"
        if not doc:
            faults.append(f"{where}: no kernel-doc comment (/** {function.name} - ... */)")
            continue
        # One comment can be that of several functions.
        known = set().union(*(parameters.get(name, set()) for name in doc.names))
        for names, _ in doc.parameters:
            faults += [f"{where}: the comment names @{name}, which is no parameter"
                       for name in names if name not in known]
    return faults


def roff(text):
    """Escape text for mdoc: what begins a line as a request, and backslashes."""
    text = text.replace("\\", "\\e")
    return "\\&" + text if text[:1] in ".'" else text


def marked_up(text):
    """Parameters and constants as mdoc macros, and each sentence, on lines of their own."""
    lines, rest = [], []

    def flush():
        if rest:
            lines.append(roff(" ".join(rest)))
            rest.clear()

    for word in text.split():
        found = re.fullmatch(r"(\(?)(@\w+|kIOReturn\w+|\w+\(\))([.,;:)]*)", word)
        if not found:
            rest.append(word)
            if re.search(r"[.!?]\)?$", word):
                flush()
            continue
        flush()
        before, what, after = found.groups()
        macro = "Fa" if what[0] == "@" else "Fn" if what.endswith("()") else "Dv"
        name = what.strip("@").removesuffix("()")
        punctuation = " ".join(after)
        lines.append(f".{macro} " + (f"{before} " if before else "") + name +
                     (f" {punctuation}" if punctuation else ""))
    flush()
    return lines


def page(function, doc, include, library):
    brief = doc.briefs[function.name]
    lines = [
        f".\\\" Made from the comment in {os.path.basename(function.header)}.",
        ".Dd November 25, 2026",
        f".Dt {function.name.upper()} 3",
        ".Os",
        ".Sh NAME",
        f".Nm {function.name}",
        f".Nd {roff(brief)}",
        ".Sh LIBRARY",
        f"{library}, pkg-config name {library.removeprefix('lib')}",
        ".Sh SYNOPSIS",
        f".In {include}",
        f".Ft \"{function.result}\"",
        f".Fo {function.name}",
        *(f".Fa \"{one}\"" for one in function.parameters if one != "void"),
        ".Fc",
        ".Sh DESCRIPTION",
    ]
    returns = []
    begun = False
    for paragraph in doc.paragraphs:
        text = " ".join(paragraph)
        if text.startswith("Return:"):
            returns = paragraph
            continue
        lines += ([".Pp"] if begun else []) + marked_up(text)
        begun = True
    if not begun:
        lines += marked_up(brief[0].upper() + brief[1:] + ".")
    if doc.parameters:
        lines += [".Pp", "The parameters:", ".Bl -tag -width Ds"]
        own = {parameter_name(one) for one in function.parameters}
        for names, text in doc.parameters:
            names = [name for name in names if name in own]
            if not names:
                continue
            lines += [".It Fa " + " , ".join(names), *marked_up(" ".join(text))]
        lines.append(".El")
    if returns:
        lines += [".Sh RETURN VALUES",
                  *marked_up(" ".join(returns).removeprefix("Return:").strip())]
    lines += [".Sh SEE ALSO", ".Xr dextpci 7"]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--list", action="store_true", help="print the names of the functions")
    parser.add_argument("--output", metavar="DIR", help="write a page for each into DIR")
    parser.add_argument("headers", nargs="+", metavar="LIBRARY:INCLUDE:HEADER",
                        help="the header, the library it is of, and how it is included")
    options = parser.parse_args()
    faults = []
    for entry in options.headers:
        library, include, path = entry.split(":", 2)
        functions, docs = parse(path)
        faults += check(functions, docs, path)
        for function in functions:
            if options.list:
                print(function.name)
            elif function.name in docs:
                with open(os.path.join(options.output, function.name + ".3"), "w",
                          encoding="utf-8") as file:
                    file.write(page(function, docs[function.name], include, library))
    if faults and not options.list:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
