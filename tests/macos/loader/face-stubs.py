#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Usage: face-stubs.py HEADER: assembly with a jump for each function of the header."""
import re
import sys

with open(sys.argv[1], encoding='utf-8') as header:
    text = re.sub(r'/\*.*?\*/', '', header.read(), flags=re.S)
names = sorted(set(re.findall(r'\b(apple_dext_\w+)\s*\(', text)))

print('\t.text')
for index, name in enumerate(names):
    print(f'\t.globl {name}\n\t.type {name}, @function\n{name}:')
    print(f'\tjmp *face_targets+{8 * index}(%rip)\n\t.size {name}, . - {name}')
print('\t.data\n\t.balign 8\n\t.globl face_targets\n\t.hidden face_targets\nface_targets:')
print(f'\t.zero {8 * len(names)}')
print('\t.section .data.rel.ro, "aw"\n\t.balign 8\n\t.globl face_names\n\t.hidden face_names')
print('face_names:')
for name in names:
    print(f'\t.quad .Lname_{name}')
print('\t.quad 0\n\t.section .rodata')
for name in names:
    print(f'.Lname_{name}: .asciz "{name}"')
print('\t.section .note.GNU-stack, "", @progbits')
