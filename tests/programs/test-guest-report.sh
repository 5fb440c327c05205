#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The report of a guest is read while it is written: an incomplete line is ignored.
# Usage: test-guest-report.sh
set -u
tree=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT
# shellcheck source=vm/output.sh
. "$tree/vm/output.sh"
# shellcheck source=vm/guest.sh
. "$tree/vm/guest.sh"
failed=0

# is WHAT EXPECTED GOT
is() {
	[ "$2" = "$3" ] && return
	echo "not ok - $1: '$3', not '$2'"
	failed=$((failed + 1))
}

report=$WORK/report.log
: >"$report"
is 'nothing yet' '' "$(guest_value "$WORK" step)"
printf 'dextpci: st' >"$report"
is 'half a key' '' "$(guest_value "$WORK" step)"
printf 'dextpci: step mount\ndextpci: step orig' >"$report"
is 'half a step' mount "$(guest_value "$WORK" step)"
guest_reported "$WORK" step orig && is 'a report of half a line' no yes
printf 'inals\n' >>"$report"
is 'a whole step' originals "$(guest_value "$WORK" step)"
guest_reported "$WORK" step originals || is 'a report' yes no
printf 'dextpci: took mount 120\ndextpci: took copy 34' >>"$report"
is 'half a number' 0 "$(guest_step_ms "$WORK" copy)"
printf '56\n' >>"$report"
is 'a whole number' 3456 "$(guest_step_ms "$WORK" copy)"

echo "guest report: $failed failed"
[ "$failed" -eq 0 ]
