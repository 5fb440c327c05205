#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every installed header compiles by itself, without a warning, with every compiler there is, as C,
# C++ and, with clang, Objective-C. So does drop-in.c, which names the functions that programs on
# macOS call, with their signatures.
# Usage: test-headers.sh BUILD
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
drop_in=$(dirname "$0")/drop-in.c

meson install -C "$1" --no-rebuild --destdir "$work/root" >"$work/out" 2>&1 ||
	{ cat "$work/out"; exit 1; }
include=$(find "$work/root" -type d -name include | head -n 1)
mapfile -t headers < <(cd "$include" && find . -name '*.h' -printf '%P\n' | sort)

gcc_warnings=(-pedantic -Wall -Wextra)
# Programs for macOS are built with clang, some of them with all warnings. Blocks are clang's
# extension, which the headers do without.
clang_warnings=(
	-pedantic -Weverything -fno-blocks
	# Comments are kernel-doc, which clang does not know.
	-Wno-documentation -Wno-documentation-unknown-command
	# Names of Apple's headers begin with __CF.
	-Wno-reserved-identifier
	# The layout of structures is fixed.
	-Wno-padded
	# The headers need C++11.
	-Wno-c++98-compat-pedantic
)

check() {	# check NAME FILE COMPILER LANGUAGE STANDARD OPTION...
	local name=$1 file=$2 compiler=$3 language=$4 standard=$5
	shift 5
	if "$compiler" -x "$language" -std="$standard" "$@" -Werror -fsyntax-only \
		-I "$include" -I "$include/iokit-user" "$file" 2>"$work/out"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok - $name: $compiler -x $language -std=$standard"
		sed 's/^/    /' "$work/out"
	fi
}

compile() {	# compile COMPILER LANGUAGE STANDARD OPTION...: all headers, one program each
	local header
	command -v "$1" >/dev/null || { echo "skipped - $1: not installed"; return; }
	for header in "${headers[@]}"; do
		# As programs name it: below one of the two folders that pkg-config gives.
		echo "#include <${header#iokit-user/}>" >"$work/program"
		check "$header" "$work/program" "$@"
	done
	check drop-in.c "$drop_in" "$@"
}

for standard in c99 c11 gnu17; do
	compile gcc c "$standard" "${gcc_warnings[@]}"
	compile clang c "$standard" "${clang_warnings[@]}"
done
for standard in c99 c11 gnu17; do
	compile clang objective-c "$standard" "${clang_warnings[@]}"
done
for standard in c++11 c++17; do
	compile g++ c++ "$standard" "${gcc_warnings[@]}"
	compile clang++ c++ "$standard" "${clang_warnings[@]}"
done
compile clang++ objective-c++ c++17 "${clang_warnings[@]}"

# A check that accepts anything is none: a signature that differs, and a warning.
sed 's/uint8_t \*out_type);/uint16_t *out_type);/' "$drop_in" >"$work/differs.c"
for compiler in gcc clang; do
	command -v "$compiler" >/dev/null || continue
	if "$compiler" -std=c11 -Werror -fsyntax-only -I "$include" -I "$include/iokit-user" \
		"$work/differs.c" 2>/dev/null; then
		failed=$((failed + 1))
		echo "not ok - $compiler: another signature compiles"
	fi
done
echo "headers: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
