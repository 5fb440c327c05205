#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# All shell scripts are without findings of shellcheck 0.9, sourced files included. Other versions
# find other things; where this one is not installed the test is skipped.
# Usage: test-shellcheck.sh SOURCE
set -u
cd "$1" || exit 1

command -v shellcheck >/dev/null || {
	echo "skipped: shellcheck is not installed"
	exit 77
}
version=$(shellcheck --version | sed -n 's/^version: //p')
case $version in
0.9.*) ;;
*)
	echo "skipped: expected shellcheck 0.9, found $version"
	exit 77
	;;
esac

# The check itself: a variable that is not quoted is found.
# shellcheck disable=SC2016 # the script that is checked expands it
if printf '#!/bin/sh\nrm $1\n' | shellcheck - >/dev/null; then
	echo "not ok - shellcheck accepts a variable that is not quoted"
	exit 1
fi

# Scripts are the files that say so in their first line.
find . \( -name 'build*' -o -name '.git' -o -name '.cache' \) -prune -o -type f -print0 |
	xargs -0 awk 'FNR == 1 { if (/^#!.*sh( |$)/ || /^# shellcheck shell=/) printf "%s%c", FILENAME, 0; nextfile }' |
	xargs -0 -n 8 -P 2 shellcheck -x || {
	echo "not ok - see the findings above"
	exit 1
}
