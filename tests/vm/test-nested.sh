#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: tests/vm/test-nested.sh BUILD [LOGS]
#
# A guest inside a guest: in the outer guest, which has an emulated IOMMU, dextd opens an NVMe
# controller by the kernel's VFIO, and dext-vfio-user gives it to a stock QEMU there. The inner
# guest writes to the disk and reads it back. Without KVM both levels are emulated, which takes
# minutes: ./test does not run this. BUILD is a build directory; LOGS a directory for the logs.

set -u -o pipefail

# shellcheck source=vm/vm.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../vm/vm.sh"
# shellcheck source=vm/system.sh
. "$VM_DIR/system.sh"
# shellcheck source=tests/vm/check.sh
. "$ROOT/tests/vm/check.sh"
# shellcheck source=tests/vm/vfio-guest.sh
. "$ROOT/tests/vm/vfio-guest.sh"

NESTED_LIMIT=3600	# seconds for a step of the outer guest

# prepare - INITRAMFS for the outer guest; SHARED, a directory that it mounts, for the inner one
prepare() {
	local overlay=$WORK/overlay
	INITRAMFS_JOBS=$ROOT/tests/vm/nested/jobs
	SHARED=$WORK/shared
	mkdir -p "$SHARED"
	step "Making the inner guest's initramfs" initramfs_make "$SHARED/initramfs.gz" || exit 1
	cp "$GUEST_IMAGE" "$SHARED/kernel"
	cp -a "$VMM_TREE" "$SHARED/vmm"
	step "Installing dextpci for the outer guest" vfio_guest_overlay "$overlay" \
		"$ROOT/tests/vm/vfio/init" "$ROOT/tests/vm/nested/run" || exit 1
	system_modules "$overlay" vfio-pci vfio_iommu_type1 9p 9pnet_virtio virtio_pci || exit 1
	INITRAMFS=$WORK/system.cpio
	step "Making the outer guest's system" vfio_guest_pack "$INITRAMFS" "$overlay" || exit 1
}

machine() {
	# shellcheck disable=SC2034 # for machine_command()
	local MEMORY=2G
	machine_command intel_iommu=on
	machine_iommu
	truncate -s 64M "$WORK/disk.img"
	# shellcheck disable=SC2054 # commas inside of QEMU's options
	VM_COMMAND+=(-drive "file=$WORK/disk.img,if=none,id=disk,format=raw"
		-device nvme,drive=disk,serial=physical,addr=4 -nic none
		-fsdev "local,id=shared,path=$SHARED,security_model=none,readonly=on"
		-device virtio-9p-pci,fsdev=shared,mount_tag=shared)
}

main() {
	local status=0
	[[ $# -ge 1 && -x $1/tools/dextd ]] ||
		usage_die "usage: $0 BUILD [LOGS]: no tools/dextd in '${1:-}'"
	BUILD=$(realpath "$1")
	checks_begin nested
	OUTPUT_DIR=$WORK/files
	[[ -z ${2:-} ]] || OUTPUT_DIR=$2
	mkdir -p "$OUTPUT_DIR" && OUTPUT_DIR=$(realpath "$OUTPUT_DIR")
	packages_ensure "${PACKAGES_VM[@]}"
	vmm_tree_ensure
	vmm_ensure
	system_ensure bookworm
	guest_tree_ensure
	prepare
	machine
	guest_start "$OUTPUT_DIR"
	guest_wait "$OUTPUT_DIR" "$NESTED_LIMIT" || status=$?
	check_guest_report "$OUTPUT_DIR"
	check "the outer guest has ended${GUEST_FAILURE:+: $GUEST_FAILURE}" "$status"
	printf '%s\n' "inner guest: $(guest_value "$OUTPUT_DIR" inner-guest)"
	((status == 0 && FAILED == 0)) || {
		show_tail "$OUTPUT_DIR/kernel.log" 40
		show_tail "$OUTPUT_DIR/console.log" 40
	}
	# shellcheck disable=SC2034 # for checks_end()
	COMPLETE=yes
}

main "$@"
