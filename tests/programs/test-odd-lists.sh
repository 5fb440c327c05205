#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# dextctl on devices with broken capability lists: it ends, prints the capabilities before the
# error, and the error.
# Usage: test-odd-lists.sh TOOLS-FOLDER
set -u
tools=$1
work=$(mktemp -d) || exit 1
pid=
cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
passed=0 failed=0

# says WHAT PATTERN COMMAND...: it succeeds within 30 s, and its output matches.
says() {
	local what=$1 pattern=$2 got
	shift 2
	timeout 30 "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	if [ "$got" -eq 0 ] && [ ! -s "$work/err" ] && grep -Eq -- "$pattern" "$work/out"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok - $what: ${*##*/}: status $got, no line matches '$pattern' in:"
		sed 's/^/    /' "$work/err" "$work/out"
	fi
}

serve() {
	"$tools/dextd" --device "odd,addr=01:00.0,$1" 2>"$work/d.log" &
	pid=$!
	for _ in $(seq 200); do
		[ -S "$DEXT_SOCKET" ] && return
		sleep 0.05
	done
	echo "not ok - dextd did not start:"
	cat "$work/d.log"
	exit 1
}

end_service() {
	kill "$pid"
	wait "$pid" || {
		echo "not ok - dextd: status $?"
		failed=$((failed + 1))
	}
	pid=
}

export DEXT_SOCKET=$work/d.sock
for case in \
	'sane|\[9c\] Vendor Specific Information$' \
	'loop|<the chain loops: 9c leads back to 40>' \
	'self|<the chain loops: 9c leads back to 9c>' \
	'header|<the pointer at 9d leads into the header, to 10>' \
	'end|\[fc\] Vendor Specific Information$'; do
	caps=${case%%|*}
	serve "irq=msi,caps=$caps"
	says "$caps" "${case#*|}" "$tools/dextctl" info 01:00.0
	# Capabilities before the error are printed.
	says "$caps" '\[84\] MSI: Enable- Count=1/32' "$tools/dextctl" info 01:00.0
	says "$caps" '"address": "01:00.0"' "$tools/dextctl" --json info 01:00.0
	says "$caps" '^40: 01 48 ' "$tools/dextctl" config dump 01:00.0
	says "$caps" '^ff0: ' "$tools/dextctl" config dump 01:00.0
	says "$caps" '01:00\.0' "$tools/dextctl" list
	end_service
done

echo "odd-lists: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
