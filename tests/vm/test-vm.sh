#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: tests/vm/test-vm.sh [--server PROGRAM] [--bar-access MODE] BUILD [LOGS [CASE...]]
#
# Tests passed-through devices in virtual machines: the job of ./run, killed programs, reboot,
# reset, suspend, hotplug. BUILD is a build directory. LOGS is a directory for the logs; without
# it, or if it is empty, they are deleted. CASE is a name of CASES. PROGRAM takes the place of
# the vfio-user server in BUILD, and MODE that of --bar-access shared in the case devices.

set -u -o pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=vm/vm.sh
. "$HERE/../../vm/vm.sh"
# shellcheck source=tests/vm/check.sh
. "$HERE/check.sh"
# shellcheck source=tests/vm/device.sh
. "$HERE/device.sh"
# shellcheck source=tests/vm/verifier.sh
. "$HERE/verifier.sh"
# shellcheck source=tests/vm/deaths.sh
. "$HERE/deaths.sh"
# shellcheck source=tests/vm/reboot.sh
. "$HERE/reboot.sh"
# shellcheck source=tests/vm/function.sh
. "$HERE/function.sh"
# shellcheck source=tests/vm/memory.sh
. "$HERE/memory.sh"
# shellcheck source=tests/vm/devices.sh
. "$HERE/devices.sh"
# shellcheck source=tests/vm/hotplug.sh
. "$HERE/hotplug.sh"
# shellcheck source=tests/vm/outage.sh
. "$HERE/outage.sh"

# The cases in their order; each is a function test_NAME.
CASES=(verifier deaths embedded intx reboot function memory devices hotplug outage)

# logs NAME - create a directory for logs
logs() {
	mkdir -p "$OUTPUT_DIR/$1"
	printf '%s' "$OUTPUT_DIR/$1"
}

# new_disk - create an empty disk image, for a guest to format
new_disk() {
	rm -f "$WORK/disk.img" "$OUTPUT_DIR/disk.img"
	job_image 0
}

# complete_job NAME - run the job of ./run; each line of its table of results is a check
complete_job() {
	local name=$1 what value result
	results_reset
	job_run "$(logs "$name")"
	while IFS=$'\t' read -r what value result; do
		check "$name: $what: $value" "$([[ $result == ok ]]; echo $?)"
	done < <(printf '%s\n' "${RESULTS[@]}")
}

# guest_finishes NAME DIR - check that the guest completes its job, and powers off
guest_finishes() {
	local status=0
	guest_wait "$2" "$STEP_TIMEOUT" || status=$?
	check "$1: the guest completes its job${GUEST_FAILURE:+ ($GUEST_FAILURE)}" "$status"
	[[ $status -eq 0 ]] || job_show_logs "$2"
	return "$status"
}

# check_kernel_log NAME DIR [ALLOWED] - check the log with guest_log_problems()
check_kernel_log() {
	local problems
	problems=$(guest_log_problems "$2" "${3:-}")
	check "$1: no errors in the guest kernel's log" \
		"$([[ -s $2/kernel.log && -z $problems ]]; echo $?)"
	[[ -z $problems ]] || printf '%s\n' "$problems" | head -n 20 | sed 's/^/  | /'
}

# image_check_files NAME IMAGE DIRECTORY... - check that the file system is undamaged, and that each
# DIRECTORY has the original files
image_check_files() {
	local name=$1 image=$2 directory
	shift 2
	try_quiet "$name: the file system is clean, on the host" verify_filesystem "$image"
	for directory in "$@"; do
		verify_extract "$image" "$directory" "$WORK/found" >/dev/null 2>&1
		try_quiet "$name: $directory: equal on the host" \
			verify_files "$ORIGINALS" "$WORK/found/$directory"
		rm -rf "$WORK/found"
	done
}

test_embedded() {
	MODE="embedded"
	new_disk
	service_start "$MODE" "$DISK" "$(logs "embedded")"
	complete_job "embedded"
	try "embedded: the program exits cleanly" service_stop
	MODE="split"
}

# The device has INTx only. For QEMU any access to a BAR is the end of the interrupt (EOI). With
# two processors and a driver that does not access the device when there is no work, the line may
# remain asserted; hence one processor.
test_intx() {
	# shellcheck disable=SC2034 # for machine_command()
	local CPUS=1
	new_disk
	service_start "$MODE" "$DISK" "$(logs "INTx")" irq=intx
	complete_job "INTx"
	try "INTx: the programs exit cleanly" service_stop
}

main() {
	local name
	while [[ ${1:-} == --* ]]; do
		[[ $# -ge 2 ]] || usage_die "$1: expected a value"
		case $1 in
		--server) SERVER_PROGRAM=$2 ;;
		--bar-access) DEVICES_BAR_ACCESS=$2 ;;
		*) usage_die "$1: no such option" ;;
		esac
		shift 2
	done
	[[ $# -ge 1 && -x $1/tools/dextd ]] ||
		usage_die "usage: $0 [--server PROGRAM] [--bar-access MODE] BUILD [LOGS [CASE...]]: no tools/dextd in '${1:-}'"
	BUILD=$(realpath "$1")
	for name in "${@:3}"; do
		[[ " ${CASES[*]} " == *" $name "* ]] ||
			usage_die "$name: no such case; there are ${CASES[*]}"
	done
	[[ $# -le 2 ]] || CASES=("${@:3}")
	checks_begin vm
	OUTPUT_DIR=$WORK/files
	if [[ -n ${2:-} ]]; then
		mkdir -p "$2" && OUTPUT_DIR=$(realpath "$2")
	fi
	INITRAMFS_PROGRAMS+=(sbin/kexec)
	INITRAMFS_JOBS=$HERE/guest
	job_prepare
	job_originals
	for name in "${CASES[@]}"; do
		"test_$name"
	done
	COMPLETE=yes
}

main "$@"
