# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# An address without a device.

WRONG=dext-vfio-user@7f:00.0.service

# Given up, not waiting for the next restart.
given_up() {
	is $WRONG ActiveState failed && is $WRONG SubState failed
}

check "no such device: starting fails" no systemctl start $WRONG
check "no such device: the log has the reason" \
	journal $WRONG "dext-vfio-user: no device 7f:00.0 among the 3 there are"
check "no such device: it is restarted" settles 30 no is $WRONG NRestarts 0
check "no such device: restarting is given up" settles 60 given_up
report "note given up after $(property $WRONG NRestarts) restarts, $(property $WRONG Result)"
check "no such device: no socket is left" no test -e "$SOCKETS/vfio-user-7f:00.0.sock"
check "no such device: the other server still serves" look
systemctl reset-failed $WRONG
