#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: tests/macos/test-macos.sh BUILD [LOGS [CASE...]]
#
# The client library and the vfio-user server, built for macOS, as far as this host can test
# them (docs/macos.md). BUILD is a build directory; the builds for macOS are in BUILD/macos. LOGS,
# where given and not empty, is a directory that keeps the logs; CASE a name of CASES.

set -u -o pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=vm/vm.sh
. "$HERE/../../vm/vm.sh"
# shellcheck source=tests/vm/check.sh
. "$HERE/../vm/check.sh"
# shellcheck source=tests/macos/sdk.sh
. "$HERE/sdk.sh"
# shellcheck source=tests/macos/cross.sh
. "$HERE/cross.sh"
# shellcheck source=tests/macos/programs.sh
. "$HERE/programs.sh"
# shellcheck source=tests/macos/sabotage.sh
. "$HERE/sabotage.sh"
# shellcheck source=tests/macos/guests.sh
. "$HERE/guests.sh"

# Each is a function test_NAME, in this order.
CASES=(programs files sabotage guests)

# checks_of COMMAND... - the checks that a command prints as "ok ..." and "not ok ..."
checks_of() {
	local line printed=
	while IFS= read -r line; do
		printed=yes
		case $line in
		"ok "*) check "${line#ok }" 0 ;;
		"not ok "*) check "${line#not ok }" 1 ;;
		*) printf '%s\n' "$line" ;;
		esac
	done < <("$@" 2>&1)
	[[ -n $printed ]] || check "$1: prints its checks" 1
}

check_files() {
	"$HERE/check_files.py" "$ROOT" "$CROSS/$1" "$1" "${@:2}"
}

# The check itself: a call that is new is found, with the file that makes it.
files_of_a_new_call() {
	sed '/^_setrlimit$/d' "$HERE/allowed.txt" >"$WORK/allowed.txt"
	check_files x86_64 "$WORK/allowed.txt" >"$OUTPUT_DIR/new-call.log"
	grep -qx '  _setrlimit: imported by common/limits.c, not in allowed.txt' "$OUTPUT_DIR/new-call.log"
}

test_files() {
	local architecture
	for architecture in "${ARCHITECTURES[@]}"; do
		cross_end "$architecture" || return 1
		checks_of check_files "$architecture"
	done
	try "a call that allowed.txt does not have is found" files_of_a_new_call
}

main() {
	local name
	[[ $# -ge 1 && -x $1/tools/dextd ]] ||
		usage_die "usage: $0 BUILD [LOGS [CASE...]]: no tools/dextd in '${1:-}'"
	BUILD=$(realpath "$1")
	for name in "${@:3}"; do
		[[ " ${CASES[*]} " == *" $name "* ]] ||
			usage_die "$name: no such case; there are ${CASES[*]}"
	done
	[[ $# -le 2 ]] || CASES=("${@:3}")
	checks_begin macos
	OUTPUT_DIR=$WORK/files
	if [[ -n ${2:-} ]]; then
		mkdir -p "$2" && OUTPUT_DIR=$(realpath "$2")
	fi
	packages_ensure "${PACKAGES_MACOS[@]}"
	CROSS=$BUILD/macos
	cross_lock
	if headers_ensure; then
		cross_begin || exit 1
		for name in "${CASES[@]}"; do
			"test_$name"
		done
	elif [[ -n $HEADERS_MISSING ]]; then
		skip "all of macos" "$HEADERS_MISSING"
	else
		check "Darwin's headers" 1
	fi
	COMPLETE=yes
}

main "$@"
