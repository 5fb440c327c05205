# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# An address without a device.

WRONG=dext-vfio-user@7f:00.0.service

# Whether systemd does not restart it any more.
restarts_ended() {
	is $WRONG ActiveState failed && is $WRONG SubState failed
}

check "no such device: starting fails" not systemctl start $WRONG
check "no such device: the log has the reason" \
	journal $WRONG "dext-vfio-user: no device 7f:00.0 among the 3 there are"
check "no such device: it is restarted" retry_for 30 not is $WRONG NRestarts 0
check "no such device: the number of restarts is limited" retry_for 60 restarts_ended
report "note failed after $(property $WRONG NRestarts) restarts, $(property $WRONG Result)"
check "no such device: no socket is left" not test -e "$SOCKETS/vfio-user-7f:00.0.sock"
check "no such device: the other server still serves" look
systemctl reset-failed $WRONG
