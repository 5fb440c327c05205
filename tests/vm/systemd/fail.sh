# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# An address at which there is nothing.

WRONG=dext-vfio-user@7f:00.0.service

# Not in between two tries: given up.
given_up() {
	is $WRONG ActiveState failed && is $WRONG SubState failed
}

check "no such device: starting fails" no systemctl start $WRONG
check "no such device: our line says why" \
	journal $WRONG "dext-vfio-user: no device 7f:00.0 among the 3 there are"
check "no such device: it is tried again" settles 30 no is $WRONG NRestarts 0
check "no such device: and given up" settles 60 given_up
report "note given up after $(property $WRONG NRestarts) restarts, $(property $WRONG Result)"
check "no such device: no socket is left" no test -e "$SOCKETS/vfio-user-7f:00.0.sock"
check "no such device: the others go on" look
systemctl reset-failed $WRONG
