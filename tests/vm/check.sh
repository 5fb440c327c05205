# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Output of the tests in a virtual machine and of tests/macos: a line for each check, and a
# line with the counts at the end. Needs vm.sh.

PASSED=0
FAILED=0
SUITE=		# name of the suite, for the last line
COMPLETE=	# set when all checks have run

# check NAME STATUS
check() {
	if [[ $2 -eq 0 ]]; then
		PASSED=$((PASSED + 1))
		printf 'ok %s\n' "$1"
	else
		FAILED=$((FAILED + 1))
		printf 'not ok %s\n' "$1"
	fi
}

# skip NAME REASON - what is not tested here
skip() {
	printf 'skip %s: %s\n' "$1" "$2"
}

# try NAME COMMAND... - a check that the command succeeds
try() {
	local name=$1 status=0
	shift
	"$@" || status=$?
	check "$name" "$status"
}

# try_not NAME COMMAND... - a check that the command fails
try_not() {
	local name=$1 status=0
	shift
	"$@" >/dev/null 2>&1 && status=1
	check "$name" "$status"
}

# try_quiet NAME COMMAND... - try(), with what the command prints only when it fails
try_quiet() {
	local name=$1 status=0
	shift
	"$@" >"$WORK/try.log" 2>&1 || status=$?
	check "$name" "$status"
	[[ $status -eq 0 ]] || show_tail "$WORK/try.log"
}

# check_guest_report DIR - count each check that a guest reported (vm/system/report.sh)
check_guest_report() {
	local key value
	while read -r _ key value; do
		case $key in
		ok) check "$value" 0 ;;
		not-ok) check "$value" 1 ;;
		output) printf '    %s\n' "$value" ;;
		esac
	done < <(tr -d '\r' <"$1/report.log")
}

# checks_begin NAME - create the temporary directory, and print the counts at exit
checks_begin() {
	SUITE=$1
	workdir_create
	trap checks_end EXIT
}

# An early exit counts as a failed check. After Ctrl-C the reader of this output may have
# exited: clean up before printing.
checks_end() {
	local status=$?
	cleanup
	[[ -n $COMPLETE ]] || check "$SUITE: all checks run" 1
	printf '%s: %d passed, %d failed\n' "$SUITE" "$PASSED" "$FAILED"
	((status == 0 && FAILED == 0)) || exit 1
	exit 0
}
