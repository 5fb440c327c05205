#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: tests/vm/test-vm.sh BUILD [LOGS]
#
# The main job in a virtual machine, as ./run does it, and what happens when one of
# the programs is killed while the guest writes. BUILD is a build directory; LOGS,
# when given, a directory that keeps the logs.

set -u -o pipefail

# shellcheck source=vm/vm.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../vm/vm.sh"
# shellcheck source=tests/vm/verifier.sh
. "$ROOT/tests/vm/verifier.sh"

NO_BUS_MASTER='int(device["command"], 16) & 4 == 0'

PASSED=0
FAILED=0

# check NAME STATUS
check() {
	if [[ $2 -eq 0 ]]; then
		PASSED=$((PASSED + 1))
		printf 'ok %s\n' "$1"
	else
		FAILED=$((FAILED + 1))
		printf 'not ok %s\n' "$1"
	fi
}

# try NAME COMMAND... - a check that the command succeeds
try() {
	local name=$1 status=0
	shift
	"$@" || status=$?
	check "$name" "$status"
}

# The closing line comes whatever happens: what stopped the tests has failed.
finish() {
	local status=$?
	[[ -n ${COMPLETE:-} ]] || check "vm: to be carried out to the end" 1
	work_end
	printf 'vm: %d passed, %d failed\n' "$PASSED" "$FAILED"
	((status == 0 && FAILED == 0)) || exit 1
	exit 0
}

logs() {
	mkdir -p "$FILES/$1"
	printf '%s' "$FILES/$1"
}

# The whole job; each line of its table is a check.
whole_job() {
	local name=$1 what value verdict
	proofs_reset
	job_run "$(logs "$name")"
	while IFS=$'\t' read -r what value verdict; do
		check "$name: $what: $value" "$([[ $verdict == ok ]]; echo $?)"
	done < <(printf '%s\n' "${PROOFS[@]}")
}

# flood_begin DIR NAME - have a guest that has written a while and is writing still
flood_begin() {
	local status=0
	job_machine dextpci.job=flood
	machine_disk "$ORIGINALS/originals.img"
	guest_start "$1"
	guest_follow "$1" "$LIMIT" flood_settled
	progress_end
	flood_under_way "$1" || status=$?
	check "$2: the guest is writing" "$status"
	[[ $status -eq 0 ]] || job_show_logs "$1"
}

flood_settled() {
	flood_under_way "$1" || guest_gone || ! service_alive
}

flood_under_way() {
	local written
	written=$(guest_value "$1" written)
	((${written:-0} >= 24 << 20)) && ! guest_gone
}

# device_is EXPRESSION - whether it holds for what dextctl says of the device, "device"
device_is() {
	"$BUILD/tools/dextctl" --socket "$WORK/dextd.sock" info "$DEVICE_ADDRESS" --json |
		python3 -c 'import json, sys; device = json.load(sys.stdin); sys.exit(not ('"$1"'))'
}

device_settles() {
	local deadline=$((SECONDS + 10))
	until device_is "$1"; do
		((SECONDS < deadline)) || return 1
		sleep 0.2
	done
}

# dextd after somebody's death: there, holding nothing of theirs, free for others.
check_dextd() {
	try "$1: dextd goes on" kill -0 "$DEXTD_PID"
	try "$1: dextd holds no descriptor or mapping of theirs" \
		holdings_settle "$DEXTD_PID" "$WORK/dextd.idle" 10
	try "$1: the device is free" device_settles 'device["claim"]["state"] == "free" and device["claim"]["claims"] == 0'
	try "$1: the device cannot reach memory" device_settles "$NO_BUS_MASTER"
}

test_killed_server() {
	local name="server killed" dir
	dir=$(logs "server-killed")
	server_start "$dir" --addr "$DEVICE_ADDRESS"
	flood_begin "$dir" "$name"
	try "$name: the device was claimed before" device_is 'device["claim"]["claims"] == 1'
	process_kill "$SERVER_PID"
	check_dextd "$name"
	process_end "$GUEST_PID"
}

test_killed_vmm() {
	local name="VMM killed" dir
	dir=$(logs "vmm-killed")
	server_start "$dir" --addr "$DEVICE_ADDRESS"
	holdings "$SERVER_PID" >"$WORK/server.idle"
	flood_begin "$dir" "$name"
	process_kill "$GUEST_PID"
	try "$name: the server goes on" kill -0 "$SERVER_PID"
	try "$name: the server holds nothing of it" \
		holdings_settle "$SERVER_PID" "$WORK/server.idle" 10
	try "$name: dextd goes on" kill -0 "$DEXTD_PID"
	try "$name: the device cannot reach memory" device_settles "$NO_BUS_MASTER"
}

# One dextd for all of it: whole job, two deaths, whole job.
test_split() {
	MODE="split"
	job_image 0
	dextd_start "$DISK" "$FILES"
	holdings "$DEXTD_PID" >"$WORK/dextd.idle"
	server_start "$FILES" --addr "$DEVICE_ADDRESS"
	whole_job "first job"
	try "first job: the server ends well" process_end "$SERVER_PID"
	check_dextd "first job"
	test_killed_server
	test_killed_vmm
	whole_job "next job, same dextd and server"
	try "split: the programs end well" service_stop
}

test_embedded() {
	MODE="embedded"
	rm "$DISK" "$FILES/disk.img"
	job_image 0
	service_start "$MODE" "$DISK" "$FILES"
	whole_job "embedded"
	try "embedded: the program ends well" service_stop
}

main() {
	[[ $# -ge 1 && -x $1/tools/dextd ]] || usage_die "usage: $0 BUILD [LOGS]: no tools/dextd in '${1:-}'"
	BUILD=$(realpath "$1")
	work_begin
	trap finish EXIT
	FILES=$WORK/files
	if [[ -n ${2:-} ]]; then
		mkdir -p "$2" && FILES=$(realpath "$2")
	fi
	job_prepare
	job_originals
	test_verifier
	test_split
	test_embedded
	COMPLETE=yes
}

main "$@"
