# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the driver service says of the device. Needs service.sh and check.sh.

# For device_is: in config space, and in the memory that the device may reach.
NO_BUS_MASTER='int(device["command"], 16) & 4 == 0'
IS_FREE='device["claim"]["state"] == "free" and device["claim"]["claims"] == 0'

# driver_says COMMAND EXPRESSION [ADDRESS] - whether it holds for what dextctl answers, "device"
driver_says() {
	"$BUILD/tools/dextctl" --socket "$WORK/dextd.sock" "$1" "${3:-$DEVICE_ADDRESS}" --json |
		python3 -c 'import json, sys; device = json.load(sys.stdin); sys.exit(not ('"$2"'))'
}

device_is() {
	driver_says info "$@"
}

device_settles() {
	local deadline=$((SECONDS + 10))
	until device_is "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.2
	done
}

# dma_clean NAME [ADDRESS] - a check that each access of the device met memory
dma_clean() {
	try "$1: each of the device's accesses met memory" \
		driver_says dma 'device["faults"] == 0' "${2:-$DEVICE_ADDRESS}"
}

# check_dextd NAME - after somebody's end: dextd is there, holding nothing of theirs
#
# holdings() of before are in $WORK/dextd.idle.
check_dextd() {
	try "$1: dextd goes on" kill -0 "$DEXTD_PID"
	try "$1: dextd holds no descriptor or mapping of theirs" \
		holdings_settle "$DEXTD_PID" "$WORK/dextd.idle" 10
	try "$1: the device is free" device_settles "$IS_FREE"
	try "$1: the device cannot reach memory" device_settles "$NO_BUS_MASTER"
}
