# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Queries of the device's state in the driver service. Needs service.sh and check.sh.

# Expressions for device_is.
NO_BUS_MASTER='int(device["command"], 16) & 4 == 0'
IS_FREE='device["claim"]["state"] == "free" and device["claim"]["claims"] == 0'

# driver_says COMMAND EXPRESSION [ADDRESS] - whether it is true for dextctl's output, "device"
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

# dma_clean NAME [ADDRESS] - check that the device had no DMA faults
dma_clean() {
	try "$1: the device had no DMA faults" \
		driver_says dma 'device["faults"] == 0' "${2:-$DEVICE_ADDRESS}"
}

# check_dextd NAME - after a client's end: dextd runs, without resources of that client
#
# $WORK/dextd.idle has the output of holdings() from before.
check_dextd() {
	try "$1: dextd still runs" kill -0 "$DEXTD_PID"
	try "$1: dextd holds no descriptor or mapping of the client" \
		holdings_settle "$DEXTD_PID" "$WORK/dextd.idle" 10
	try "$1: the device is free" device_settles "$IS_FREE"
	try "$1: the device cannot reach memory" device_settles "$NO_BUS_MASTER"
}
