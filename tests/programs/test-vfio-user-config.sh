#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# dext-vfio-user --config: an error in a file is reported in one line, with the file's name and the
# line number. And the units for systemd use existing programs and options.
# Usage: test-vfio-user-config.sh TOOLS-FOLDER SYSTEMD-FOLDER
set -u
vu=$1/dext-vfio-user
units=${2:-}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

check() { # WHAT STATUS
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok - $1"
	fi
}

# refuses STATUS PATTERN FILE-CONTENT [ARGUMENT...]
refuses() {
	local want=$1 pattern=$2 content=$3 status
	shift 3
	printf '%b' "$content" >"$work/config"
	timeout 20 "$vu" --config "$work/config" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	[ "$status" -eq "$want" ] && [ "$(wc -l <"$work/err")" -eq 1 ] && [ ! -s "$work/out" ] &&
		grep -Eq -e "$pattern" "$work/err"
	check "$content: status $status (expected $want): $(head -c 300 "$work/err")" $?
}

nvme=nvme,addr=01:00.0,size=1M
long=$work/$(printf 'x%.0s' {1..120})
refuses 2 'config: there is no device in it' ''
refuses 2 'config: there is no device in it' '# only a comment\n\n   \n'
refuses 2 'config:1: --socket PATH is missing' '--addr 01:00.0'
refuses 2 'config:3: --addr BB:DD.F or --device SPEC is missing' "#\n\n--socket $work/s"
refuses 2 'config:1: --addr and --device exclude each other' "--socket $work/s --addr 01:00.0 --device $nvme"
refuses 2 'config:2: .*address|config:2: .*BB:DD.F' "--socket $work/s --addr 01:00.0\n--socket $work/t --addr 1"
refuses 2 'config:1: --frob: no such option' "--frob --socket $work/s"
refuses 2 'config:1: --config: no such option' "--config other"
refuses 2 'config:1: --no-sandbox: no such option' "--no-sandbox"
refuses 2 'config:1: --socket: expected a value: --socket PATH' "--addr 01:00.0 --socket"
refuses 2 'config:1: stray: unexpected argument' "--socket $work/s --addr 01:00.0 stray"
refuses 2 'config:1: a quote is not closed' "--socket '$work/s --addr 01:00.0"
refuses 2 'config:1: --bar-access: it must be' "--socket $work/s --addr 01:00.0 --bar-access fast"
refuses 2 'config:1: --socket: the path has [0-9]+ bytes, it must have 1 to 107' "--socket $long --addr 01:00.0"
refuses 2 'config:1: --socket: the path has 0 bytes' "--socket '' --addr 01:00.0"
refuses 2 'config:2: there is a NUL in it' "\n--socket\\\\0 x"
refuses 2 'config:1: more than 32 words' "$(printf 'x %.0s' {1..40})"
refuses 2 'config:2: --addr and --device in one file' "--socket $work/s --addr 01:00.0\n--socket $work/t --device $nvme"
refuses 2 '--config excludes the options of a device' "--socket $work/s --device $nvme" --socket "$work/t"
refuses 2 '--driver PATH goes with --addr' "--socket $work/s --device $nvme" --driver "$work/d.sock"
# Errors at startup.
refuses 1 "no driver service at $work/d.sock" "--socket $work/s --addr 01:00.0" --driver "$work/d.sock"
refuses 1 'config:1: .*missing.img' "--socket $work/s --device nvme,addr=01:00.0,image=$work/missing.img"
refuses 1 'config:2: socket .*s: in use' "--socket $work/s --device $nvme\n--socket $work/s --device nvme,addr=02:00.0,size=1M"
refuses 1 'config:2: .*01:00.0' "--socket $work/s --device $nvme\n--socket $work/t --device $nvme"
[ ! -e "$work/s" ]
check 'no socket is left' $?
timeout 20 "$vu" --config "$work/none" 2>"$work/err"
[ $? -eq 1 ] && grep -q 'none: No such file' "$work/err"
check 'a missing file' $?
timeout 20 "$vu" --config "$work" 2>"$work/err"
[ $? -eq 1 ] && grep -q 'directory' "$work/err"
check 'a folder' $?

# options_of FILE - the options of its ExecStart
options_of() {
	sed -n 's/^ExecStart=//p' "$1" | grep -o -e '--[a-z-]*'
}

for unit in dextd.service dextd-vfio@.service dext-vfio-user@.service; do
	[ -n "$units" ] || break
	program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$units/$unit")
	[ -x "$1/$(basename "$program")" ]
	check "$unit: $program" $?
	for option in $(options_of "$units/$unit"); do
		"$1/$(basename "$program")" --help | grep -q -e "$option"
		check "$unit: $option" $?
	done
	if command -v systemd-analyze >/dev/null; then
		# The unit with the paths of the built programs and without manual pages.
		sed "s|^\(ExecStart[Pre]*=+*\)/[^ ]*/\([^/ ]* \)|\1$1/\2|; /^Documentation=/d; /udevadm/d" \
			"$units/$unit" >"$work/$unit"
		problems=$(systemd-analyze verify "$work/$unit" 2>&1 | grep "$work/\|${unit%.service}")
		[ -z "$problems" ]
		check "$unit: $problems" $?
	fi
done

echo "vfio-user config: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
