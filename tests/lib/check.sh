# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Counted checks of a test script. $work must be a folder for temporary files.
passed=0 failed=0

# shellcheck disable=SC2154 # work
check() {	# check WHAT COMMAND...: the command succeeds; otherwise print the end of its output
	local what=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		passed=$((passed + 1))
		echo "ok - $what"
	else
		failed=$((failed + 1))
		echo "not ok - $what"
		tail -n 20 "$work/out" | sed 's/^/    /'
	fi
}
