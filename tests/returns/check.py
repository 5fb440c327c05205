#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whether each error that a function of the client library returns is in its comment.

    check.py API_PAGES HEADER IORETURN_HEADER CC INCLUDES PROGRAM...

Runs test programs with a library in front of the client library that records what each
function returns, and compares that with the codes after "Return:" in the header. What any call
can return stands at the head of the header, and is not repeated below.
"""
import importlib.util
import os
import re
import subprocess
import sys
import tempfile

# What the head of the header says of every function.
ANY_CALL = {"kIOReturnSuccess", "kIOReturnBadArgument", "kIOReturnOffline", "kIOReturnTimeout",
            "MIG_SERVER_DIED", "MACH_SEND_INVALID_DEST"}


def load_parser(path):
    spec = importlib.util.spec_from_file_location("api_pages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_names(path):
    """The names of IOReturn codes, by number."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    others = {0xfffffecc: "MIG_SERVER_DIED", 0x10000003: "MACH_SEND_INVALID_DEST"}
    return others | {0xe0000000 | int(number, 16): name for name, number in
            re.findall(r"#define (kIOReturn\w+)\s+iokit_common_err\(0x([0-9a-f]+)\)", text)}


def listed(doc, docs):
    """The codes that a comment names, those of functions that it refers to included."""
    text = " ".join(" ".join(part) for part in doc.paragraphs) + " " + " ".join(doc.briefs.values())
    codes = set(re.findall(r"kIOReturn\w+", text))
    for name in re.findall(r"as (?:for |in |of )?(apple_dext_\w+)\(\)", text):
        if name in docs and docs[name] is not doc:
            codes |= listed(docs[name], docs)
    return codes


def recorder(functions):
    """C source of a library that records what functions return."""
    lines = ["#include <apple-dext-client.h>", "#include <dlfcn.h>", "#include <stdio.h>",
             "#include <stdlib.h>", "",
             "static kern_return_t record(const char *name, kern_return_t status)", "{",
             "\tFILE *file = status ? fopen(getenv(\"RETURNS_FILE\"), \"ae\") : NULL;", "",
             "\tif (file) {", "\t\tfprintf(file, \"%s %08x\\n\", name, (unsigned)status);",
             "\t\tfclose(file);", "\t}", "\treturn status;", "}", ""]
    for function in functions:
        names = ", ".join(re.search(r"(\w+)(\[[^\]]*\])?$|\(\*(\w+)\)", one).group(1) or
                          re.search(r"\(\*(\w+)\)", one).group(1)
                          for one in function.parameters)
        arguments = ", ".join(function.parameters)
        lines += [f"kern_return_t {function.name}({arguments})", "{",
                  f"\tkern_return_t (*next)({arguments}) = dlsym(RTLD_NEXT, \"{function.name}\");",
                  "", f"\treturn record(\"{function.name}\", next({names}));", "}", ""]
    return "\n".join(lines)


def main():
    parser_path, header, codes_header, compiler, includes = sys.argv[1:6]
    programs = sys.argv[6:]
    functions, docs = load_parser(parser_path).parse(header)
    functions = [one for one in functions if one.result == "kern_return_t"]
    names = code_names(codes_header)
    with tempfile.TemporaryDirectory() as work:
        source, library = os.path.join(work, "record.c"), os.path.join(work, "record.so")
        output = os.path.join(work, "returns")
        with open(source, "w", encoding="utf-8") as file:
            file.write(recorder(functions))
        subprocess.run([*compiler.split(), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source,
                        *("-I" + one for one in includes.split(":"))], check=True)
        for program in programs:
            subprocess.run([program], check=True, stdout=subprocess.DEVNULL,
                           env=dict(os.environ, LD_PRELOAD=library, RETURNS_FILE=output))
        with open(output, encoding="utf-8") as file:
            seen = sorted(set(file.read().split("\n")) - {""})
    missing = []
    for entry in seen:
        function, code = entry.split()
        name = names.get(int(code, 16), "0x" + code)
        if name not in ANY_CALL | listed(docs[function], docs):
            missing.append(f"{header}: {function} returns {name}, which its comment does not list")
    print(f"{len(seen)} errors of {len({one.split()[0] for one in seen})} functions seen, "
          f"{len(missing)} of them not listed")
    sys.exit("\n".join(missing) if missing else 0)


if __name__ == "__main__":
    main()
