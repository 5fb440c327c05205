# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Queries of the device's state in the driver service. Needs service.sh and check.sh.

# Expressions in Python for device_is.
NO_BUS_MASTER='int(device["command"], 16) & 4 == 0'
IS_FREE='device["claim"]["state"] == "free" and device["claim"]["claims"] == 0'

# dextctl_says COMMAND EXPRESSION [ADDRESS] - whether EXPRESSION is true; in it, "device" is the
# JSON output of dextctl COMMAND
dextctl_says() {
	"$BUILD/tools/dextctl" --socket "$WORK/dextd.sock" "$1" "${3:-$DEVICE_ADDRESS}" --json |
		python3 -c 'import json, sys; device = json.load(sys.stdin); sys.exit(not ('"$2"'))'
}

device_is() {
	dextctl_says info "$@"
}

device_becomes() {
	local deadline=$((SECONDS + 10))
	until device_is "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.2
	done
}

# check_no_dma_faults NAME [ADDRESS] - check that the device had no DMA faults
check_no_dma_faults() {
	try "$1: the device had no DMA faults" \
		dextctl_says dma 'device["faults"] == 0' "${2:-$DEVICE_ADDRESS}"
}

# check_dextd NAME - after a client has exited: dextd runs, without resources of that client
#
# $WORK/dextd.idle is the output of resources_list() before the client connected.
check_dextd() {
	try "$1: dextd still runs" kill -0 "$DEXTD_PID"
	try "$1: dextd holds no descriptor or mapping of the client" \
		resources_wait_equal "$DEXTD_PID" "$WORK/dextd.idle" 10
	try "$1: the device is free" device_becomes "$IS_FREE"
	try "$1: the device cannot reach memory" device_becomes "$NO_BUS_MASTER"
}
