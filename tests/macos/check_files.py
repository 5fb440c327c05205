#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Usage: check_files.py SOURCE BUILD ARCHITECTURE [ALLOWED]

The program and the library that a build for macOS made, against allowed.txt and the header.
BUILD is the build directory of that architecture. A line for each check: "ok ..." or
"not ok ...", the latter with one line for each difference below.
"""
import hashlib
import os
import re
import struct
import subprocess
import sys

PROGRAM, LIBRARY = 'dext-vfio-user', 'libapple-dext-client.1.dylib'
FILES = {PROGRAM: 'tools/' + PROGRAM, LIBRARY: 'client/' + LIBRARY}
INSTALL_NAME = '@rpath/' + LIBRARY
CPUS = {'arm64': 'ARM64', 'x86_64': 'X86_64'}


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def read_allowed(path):
    """{'imports: arm64': {...}, ...}"""
    sections, names = {}, None
    with open(path, encoding='utf-8') as file:
        for line in file:
            line = line.strip()
            if line.startswith('['):
                names = sections.setdefault(line[1:-1], set())
            elif line and not line.startswith('#'):
                names.add(line)
    return sections


def read_commands(path):
    """The header's words, and a list of (command, {field: value})."""
    header, commands = [], []
    for line in output('llvm-objdump', '--macho', '--private-headers', path).splitlines():
        words = line.split(maxsplit=1)
        if not words:
            continue
        if words[0].startswith('MH_MAGIC'):
            header = line.split()
        elif words[0] == 'cmd':
            commands.append((words[1], {}))
        elif commands and len(words) == 2:
            key, value = words
            if key in ('current', 'compatibility'):  # "current version 1.0.0"
                key, value = line.rsplit(maxsplit=1)
            commands[-1][1].setdefault(key.strip(), value.split(' (offset ')[0].strip())
    return header, commands


def read_symbols(path):
    """{imported symbol: library}, and the set of exported symbols."""
    imports, exports = {}, set()
    for line in output('llvm-nm', '-m', path).splitlines():
        found = re.search(r'\(undefined\) external (\S+) \(from (\S+)\)', line)
        if found:
            imports[found[1].replace('$INODE64', '')] = found[2]
            continue
        found = re.search(r'\) (?:\[.*\] )?external (\S+)$', line)
        if found:
            exports.add(found[1])
    return imports, exports


def read_users(build):
    """{symbol: source files that use it}, from the object files."""
    objects = [os.path.join(folder, name) for folder, _, names in os.walk(build)
               for name in names if name.endswith('.c.o')]
    users = {}
    for line in output('llvm-nm', '-A', '-u', *objects).splitlines() if objects else []:
        path, symbol = line.split(':')[0], line.split()[-1]
        source = os.path.relpath(path, build).split('/')
        users.setdefault(symbol.replace('$INODE64', ''), set()).add(
            f'{source[0]}/{source[-1][:-2]}')
    return users


def differences(found, expected, unexpected, missing):
    return [f'{name}: {unexpected}' for name in sorted(found - expected)] + \
        [f'{name}: {missing}' for name in sorted(expected - found)]


def signature_problems(path, commands):
    """The hashes that the kernel of a Mac compares before it runs a page."""
    fields = dict(commands).get('LC_CODE_SIGNATURE')
    if not fields:
        return ['no LC_CODE_SIGNATURE']
    with open(path, 'rb') as file:
        data = file.read()
    blob = data[int(fields['dataoff']):][:int(fields['datasize'])]
    magic, _, count = struct.unpack_from('>III', blob)
    if magic != 0xfade0cc0 or count < 1:
        return [f'the signature begins with {magic:#x}, expected 0xfade0cc0']
    directory = blob[struct.unpack_from('>II', blob, 12)[1]:]
    magic, _, _, flags, hashes, _, _, count, limit = struct.unpack_from('>9I', directory)
    size, kind, _, page_bits = struct.unpack_from('4B', directory, 36)
    page = 1 << page_bits
    problems = []
    if (magic, kind, size) != (0xfade0c02, 2, 32):
        problems.append(f'code directory {magic:#x} with hashes of type {kind}')
    if not flags & 0x2:
        problems.append('not signed ad hoc')
    if limit != int(fields['dataoff']) or count != -(-limit // page):
        problems.append(f'{count} pages up to {limit:#x} of {int(fields["dataoff"]):#x} signed')
    for i in range(count):
        text = data[i * page:min((i + 1) * page, limit)]
        if hashlib.sha256(text).digest() != directory[hashes + i * size:][:size]:
            problems.append(f'page {i} has another hash')
    return problems


class Checks:
    def __init__(self, source, build, architecture, allowed):
        self.build, self.architecture = build, architecture
        self.allowed = read_allowed(allowed)
        self.users = read_users(build)
        with open(source + '/include/apple-dext-client.h', encoding='utf-8') as file:
            text = re.sub(r'/\*.*?\*/', '', file.read(), flags=re.S)
        self.interface = {'_' + name for name in re.findall(r'\b(apple_dext_\w+)\s*\(', text)}
        self.imported = set()

    def check(self, what, problems):
        print(f'{"not ok" if problems else "ok"} {self.architecture}: {what}')
        for problem in problems:
            print(f'  {problem}')

    def allow(self, what, name):
        return set().union(*(self.allowed.get(section, set()) for section in
                             (what, f'{what}: {name}', f'{what}: {self.architecture}')))

    def what_uses(self, symbol):
        users = self.users.get(symbol)
        return f'imported by {", ".join(sorted(users)) if users else "the linker"}, ' \
            'not in allowed.txt'

    def check_kind(self, name, header, commands):
        kind = 'EXECUTE' if name == PROGRAM else 'DYLIB'
        version = dict(commands).get('LC_BUILD_VERSION', {})
        problems = [f'expected {word}, got {" ".join(header)}'
                    for word in (CPUS[self.architecture], kind) if word not in header]
        if (version.get('platform'), version.get('minos')) != ('macos', '11.0'):
            problems.append(f'for {version.get("platform")} {version.get("minos")}')
        self.check(f'{name} is for macOS 11', problems)

    def check_load_commands(self, name, commands):
        self.check(f'{name}: load commands', differences(
            {command for command, _ in commands}, self.allow('load commands', name),
            'not in allowed.txt', 'in allowed.txt, not in the file'))
        self.check(f'{name}: libraries', differences(
            {fields['name'] for command, fields in commands if command == 'LC_LOAD_DYLIB'},
            self.allow('libraries', name),
            'not in allowed.txt', 'in allowed.txt, not in the file'))

    def check_imports(self, name, imports):
        own = {symbol for symbol, library in imports.items() if library == 'libSystem'}
        self.imported |= own
        self.check(f'{name}: imports of libSystem',
                   [f'{symbol}: {self.what_uses(symbol)}'
                    for symbol in sorted(own - self.allow('imports', name))])

    def check_library(self, commands, exports):
        fields = dict(commands).get('LC_ID_DYLIB', {})
        found = (fields.get('name'), fields.get('current version'),
                 fields.get('compatibility version'))
        self.check(f'{LIBRARY}: install name and versions',
                   [] if found == (INSTALL_NAME, '1.0.0', '1.0.0') else [str(found)])
        self.check(f'{LIBRARY}: exports', differences(
            exports, self.interface, 'exported, not in apple-dext-client.h',
            'in apple-dext-client.h, not exported'))

    def check_program(self, commands):
        path = dict(commands).get('LC_RPATH', {}).get('path', 'none')
        self.check(f'{PROGRAM}: its run path is relative',
                   [] if path.startswith('@loader_path/') else [path])

    def run(self):
        for name, place in FILES.items():
            path = os.path.join(self.build, place)
            header, commands = read_commands(path)
            imports, exports = read_symbols(path)
            self.check_kind(name, header, commands)
            self.check_load_commands(name, commands)
            self.check_imports(name, imports)
            if name == LIBRARY:
                self.check_library(commands, exports)
            else:
                self.check_program(commands)
            if self.architecture == 'arm64':
                self.check(f'{name}: code signature', signature_problems(path, commands))
        unused = self.allow('imports', '') - self.imported
        self.check('allowed.txt has no other import',
                   [f'{symbol}: imported by no file' for symbol in sorted(unused)])


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    source, build, architecture = sys.argv[1:4]
    allowed = sys.argv[4] if len(sys.argv) > 4 else source + '/tests/macos/allowed.txt'
    Checks(source, build, architecture, allowed).run()


main()
