#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every installed header compiles by itself, without a warning, with every compiler there is,
# as C99, C11, GNU C17 and C++17.
# Usage: test-headers.sh BUILD
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

meson install -C "$1" --no-rebuild --destdir "$work/root" >"$work/out" 2>&1 ||
	{ cat "$work/out"; exit 1; }
include=$(find "$work/root" -type d -name include | head -n 1)
mapfile -t headers < <(cd "$include" && find . -name '*.h' -printf '%P\n' | sort)

compile() {	# compile COMPILER LANGUAGE STANDARD: all headers, one program each
	local header
	command -v "$1" >/dev/null || { echo "skipped - $1: not installed"; return; }
	for header in "${headers[@]}"; do
		# As programs name it: below one of the two folders that pkg-config gives.
		echo "#include <${header#iokit-user/}>" >"$work/program"
		if "$1" -x "$2" -std="$3" -pedantic -Wall -Wextra -Werror -fsyntax-only \
			-I "$include" -I "$include/iokit-user" "$work/program" 2>"$work/out"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "not ok - $header: $1 -std=$3"
			sed 's/^/    /' "$work/out"
		fi
	done
}

for standard in c99 c11 gnu17; do
	compile gcc c "$standard"
	compile clang c "$standard"
done
compile g++ c++ c++17
compile clang++ c++ c++17
echo "headers: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
