#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Access to a dextd: which users may connect, and which calls they may make.
# Usage: test-access.sh TOOLS-FOLDER
set -u
tools=$1
work=$(mktemp -d) || exit 1
dextd=
stop() {
	[ -z "$dextd" ] || kill "$dextd" 2>/dev/null
	wait 2>/dev/null
	dextd=
}
trap 'stop; rm -rf "$work"' EXIT
passed=0 failed=0
check() {	# check WHAT STATUS
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok - $1"
		sed 's/^/    /' "$work/err" 2>/dev/null
	fi
}
chmod 755 "$work"
export DEXT_SOCKET=$work/d.sock

begin() {	# begin OPTION...: start dextd with these options
	stop
	: >"$work/log"
	"$tools/dextd" --device nvme,addr=01:00.0,size=1M "$@" 2>"$work/log" &
	dextd=$!
	for _ in $(seq 400); do	# until it logs that it serves: the socket exists earlier
		grep -q '^dextd: serving' "$work/log" && return
		sleep 0.05
	done
}
as() {	# as USER[:GROUP] COMMAND...
	local who=$1
	shift
	setpriv --reuid "${who%%:*}" --regid "${who##*:}" --clear-groups "$@" \
		>"$work/out" 2>"$work/err"
}
list() { as "$1" "$tools/dextctl" list; }
refused() { ! list "$1" && grep -q "$2" "$work/err"; }

begin
check 'the socket has mode 0600' "$([ "$(stat -c %a "$DEXT_SOCKET")" = 600 ]; echo $?)"
"$tools/dextctl" list >"$work/out" 2>"$work/err"
check 'its owner is served' $?
if [ "$(id -u)" -ne 0 ] || ! as 65534:65534 test -x "$tools/dextctl"; then
	echo 'access: other users cannot be tried here (not root, or they cannot reach the programs)'
	echo "access: $passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	exit
fi
refused 65534:65534 'Permission denied'; check 'another user cannot connect' $?
refused 65534:65534 "$DEXT_SOCKET.*mode 0600, user 0.*--allow-uid"; check 'and the error names the allowed users' $?
! grep -q 'start one' "$work/err"; check 'and the error does not advise to start a service' $?
chmod 700 "$work"
refused 65534:65534 "folder $work has mode 0700"; check 'a folder of the path without access is named' $?
chmod 755 "$work"
chmod 666 "$DEXT_SOCKET"
refused 65534:65534 'does not allow user 65534'; check 'also with a mode that permits it' $?
begin --allow-uid 65534 --allow-uid 1234
grep -q "$DEXT_SOCKET: mode 0666; .*user 65534, user 1234; others are refused" "$work/log"
check 'the log states the mode, and the allowed users' $?
[ "$(stat -c %a "$DEXT_SOCKET")" = 666 ]; check 'the socket has that mode' $?
! grep -q 'may not enter' "$work/log"; check 'and no warning about folders' $?
list 65534:65534; check 'an allowed user is served' $?
list 1234:1234; check 'a second allowed user is served' $?
refused 1235:1235 'does not allow user 1235'; check 'a user that is not allowed is refused' $?

# Calls of an allowed user without a claim while another client has claimed the device.
allowed() { as 65534:65534 timeout 60 "$tools/dextctl" "$@"; }
forbidden() {	# forbidden COMMAND...: refused because the client has no claim
	! allowed "$@" && grep -q 'only for clients that have claimed the device' "$work/err"
}
allowed info 01:00.0; check 'an allowed user may query a device' $?
forbidden dma 01:00.0; check 'but not the DMA regions of other clients' $?
forbidden trace 01:00.0 --count 1; check 'nor trace calls' $?
forbidden top 01:00.0 --count 1; check 'nor list clients' $?
forbidden irq trigger 01:00.0 0; check 'nor trigger interrupts' $?
forbidden remove 01:00.0; check 'nor remove the device' $?
"$tools/dextctl" irq trigger 01:00.0 0 >"$work/out" 2>"$work/err"
check 'the user of dextd may trigger interrupts without a claim' $?
"$tools/dextctl" remove 01:00.0 >"$work/out" 2>"$work/err"
check 'the user of dextd may remove the device' $?
begin --allow-gid 4321
list 1235:4321; check 'a member of an allowed group is served' $?
refused 1235:4322 'does not allow'; check 'a member of another group is refused' $?
setpriv --reuid 1235 --regid 1235 --groups 4321 "$tools/dextctl" list >"$work/out" 2>"$work/err"
check 'a supplementary group counts' $?
begin --group 4321
check 'the socket has the group and mode 0660' "$([ "$(stat -c %a:%g "$DEXT_SOCKET")" = 660:4321 ]; echo $?)"
list 1235:4321; check 'members of the group are served' $?
refused 1235:1235 'Permission denied'; check 'other users cannot connect' $?
begin --user nobody
check 'it runs as another user' "$([ "$(stat -c %U "/proc/$dextd")" = nobody ]; echo $?)"
"$tools/dextctl" list >"$work/out" 2>"$work/err"
check 'and serves' $?
chmod 700 "$work"
begin --allow-uid 65534 --group 4321
chmod 755 "$work"
grep -q "user 65534 may not enter the folder $work (mode 0700" "$work/log"
check 'a folder without access for an allowed user is named' $?
grep -q "a member of group 4321 may not enter the folder $work" "$work/log"; check 'also for a group' $?
list 65534:65534; check 'an allowed user is served in addition to the group' $?
stop
"$tools/dextd" --device nvme,addr=01:00.0,size=1M --allow-uid nobody-at-all 2>"$work/err"
check 'an unknown user is a usage error' "$([ $? -eq 2 ] && grep -q 'no such user' "$work/err"; echo $?)"
echo "access: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
