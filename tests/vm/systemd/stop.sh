# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# Both services are stopped, and leave nothing behind.

check "stop: both" systemctl stop "$SERVER" dextd
for unit in $SERVER dextd.service; do
	check "stop: $unit is inactive" is "$unit" ActiveState inactive
	# A process that had to be killed would be "timeout" or "signal".
	check "stop: $unit exited cleanly" is "$unit" Result success
	check "stop: $unit, exit status 0" is "$unit" ExecMainStatus 0
	check "stop: $unit exited by exit()" is "$unit" ExecMainCode 1
done
check "stop: no socket is left" [ -z "$(ls -A "$SOCKETS")" ]
