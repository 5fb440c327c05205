#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Usage: sabotage.py [--byte] FILE FUNCTION NEW

A copy of a Mach-O library for x86_64 in which the first conditional branch of a function is
inverted; with --byte, of any library in which one bit of the function's first byte is.
"""
import re
import subprocess
import sys


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def text_offset(path):
    """File offset minus address, in the section of code."""
    text = output('llvm-objdump', '--macho', '--private-headers', path)
    found = re.search(r'sectname __text\s+segname __TEXT\s+addr (\S+)\s+size \S+\s+offset (\d+)',
                      text)
    return int(found[2]) - int(found[1], 16)


def function_address(path, function):
    for line in output('llvm-nm', path).splitlines():
        words = line.split()
        if words[-1] == function and words[-2] in 'Tt':
            return int(words[0], 16)
    sys.exit(f'{path}: no function {function}')


def branch_address(path, function):
    """Of the byte whose lowest bit inverts the condition: 7x, or the second of 0f 8x."""
    for line in output('llvm-objdump', '--disassemble-symbols=' + function, path).splitlines():
        found = re.match(r'\s*([0-9a-f]+): ((?:[0-9a-f]{2} )+)\s+j', line)
        if not found:
            continue
        code = bytes.fromhex(found[2])
        if code[0] >> 4 == 0x7:
            return int(found[1], 16)
        if code[0] == 0x0f and code[1] >> 4 == 0x8:
            return int(found[1], 16) + 1
    return sys.exit(f'{path}: {function} has no conditional branch')


def main():
    arguments = sys.argv[1:]
    byte = arguments[:1] == ['--byte']
    if len(arguments) != 3 + byte:
        sys.exit(__doc__)
    path, function, new = arguments[byte:]
    find = function_address if byte else branch_address
    with open(path, 'rb') as file:
        data = bytearray(file.read())
    data[find(path, function) + text_offset(path)] ^= 1
    with open(new, 'wb') as file:
        file.write(data)


main()
