# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# How the tests in a virtual machine say what holds: a line for each check, and one
# that counts them at the end. Needs vm.sh.

PASSED=0
FAILED=0
SUITE=		# its name, for the closing line
COMPLETE=	# set when there is nothing left to be done

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

# checks_begin NAME - a working directory, and a closing line whatever happens
checks_begin() {
	SUITE=$1
	work_begin
	trap checks_end EXIT
}

# What stopped the tests has failed. After Ctrl-C whoever reads this may have gone: what
# has to be done comes before what is to be said.
checks_end() {
	local status=$?
	work_end
	[[ -n $COMPLETE ]] || check "$SUITE: to be carried out to the end" 1
	printf '%s: %d passed, %d failed\n' "$SUITE" "$PASSED" "$FAILED"
	((status == 0 && FAILED == 0)) || exit 1
	exit 0
}
