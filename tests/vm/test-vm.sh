#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: tests/vm/test-vm.sh BUILD [LOGS [CASE...]]
#
# Virtual machines with devices that are passed through: the main job as ./run does it,
# and what happens in the life of a machine. BUILD is a build directory; LOGS, where
# given and not empty, a directory that keeps the logs; CASE a name of CASES.

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

# Each is a function test_NAME, in this order.
CASES=(verifier deaths embedded intx reboot function memory devices hotplug outage)

# logs NAME - create a directory for logs
logs() {
	mkdir -p "$FILES/$1"
	printf '%s' "$FILES/$1"
}

# new_disk - a disk that nothing has been written to yet, for a guest to format
new_disk() {
	rm -f "$WORK/disk.img" "$FILES/disk.img"
	job_image 0
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

# guest_ends NAME DIR - check that the guest does its whole job, and powers off
guest_ends() {
	local status=0
	guest_wait "$2" "$LIMIT" || status=$?
	check "$1: the guest does its job${GUEST_FAILURE:+ ($GUEST_FAILURE)}" "$status"
	[[ $status -eq 0 ]] || job_show_logs "$2"
	return "$status"
}

# kernel_log_clean NAME DIR [ALLOWED]
kernel_log_clean() {
	local complaints
	complaints=$(guest_complaints "$2" "${3:-}")
	check "$1: no complaint in the guest kernel's log" \
		"$([[ -s $2/kernel.log && -z $complaints ]]; echo $?)"
	[[ -z $complaints ]] || printf '%s\n' "$complaints" | head -n 20 | sed 's/^/  | /'
}

# image_holds NAME IMAGE DIRECTORY... - checks that it is whole, with the originals in each
image_holds() {
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
	whole_job "embedded"
	try "embedded: the program exits cleanly" service_stop
	MODE="split"
}

# The interrupt that all machines have: a line. QEMU takes any access to a BAR for the
# end of the interrupt, so that two processors with a driver that does not touch the
# device when there is nothing to do can end up with a line that stays asserted: one.
test_intx() {
	# shellcheck disable=SC2034 # for machine_command()
	local CPUS=1
	new_disk
	service_start "$MODE" "$DISK" "$(logs "INTx")" irq=intx
	whole_job "INTx"
	try "INTx: the programs exit cleanly" service_stop
}

main() {
	local name
	[[ $# -ge 1 && -x $1/tools/dextd ]] ||
		usage_die "usage: $0 BUILD [LOGS [CASE...]]: no tools/dextd in '${1:-}'"
	BUILD=$(realpath "$1")
	for name in "${@:3}"; do
		[[ " ${CASES[*]} " == *" $name "* ]] ||
			usage_die "$name: no such case; there are ${CASES[*]}"
	done
	[[ $# -le 2 ]] || CASES=("${@:3}")
	checks_begin vm
	FILES=$WORK/files
	if [[ -n ${2:-} ]]; then
		mkdir -p "$2" && FILES=$(realpath "$2")
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
