#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: tests/vm/test-vfio.sh BUILD [LOGS [SUITE...]]
#
# Tests dextd with VFIO in a guest: QEMU emulates an IOMMU (VT-d), NVMe controllers, a network
# adapter and an edu device, which are physical devices to the guest's unmodified kernel. BUILD,
# a build directory, is installed in the guest, where the scripts in tests/vm/vfio run. LOGS is a
# directory for the logs; without it they are deleted. SUITE is the suite of Debian of the
# guest's kernel (default: bookworm and trixie-backports), or a directory with boot/ and
# lib/modules/ of a kernel; its name must contain a slash.
#
# Devices are opened with iommufd if the kernel has it, else by group. Debian's kernels do not
# have it.

set -u -o pipefail

# shellcheck source=vm/vm.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../vm/vm.sh"
# shellcheck source=vm/system.sh
. "$VM_DIR/system.sh"
# shellcheck source=tests/vm/check.sh
. "$ROOT/tests/vm/check.sh"
# shellcheck source=tests/vm/vfio-guest.sh
. "$ROOT/tests/vm/vfio-guest.sh"

SUITES=(bookworm trixie-backports)
# A step here is a whole script: on a busy host the device suite takes two minutes.
STEP_TIMEOUT=300

# prepare SUITE - make INITRAMFS, with modules of the suite's kernel
prepare() {
	guest_tree_ensure
	case $1 in
	bookworm) ;;
	*/*) kernel_use "$1" ;;
	*) kernel_ensure "$1" ;;
	esac
	step "Installing dextpci for the guest" vfio_guest_overlay "$WORK/overlay" \
		"$ROOT"/tests/vm/vfio/* || exit 1
	# The disk's driver is loaded before VFIO.
	system_modules "$WORK/overlay" vfio-pci vfio_iommu_type1 nvme || exit 1
	INITRAMFS=$WORK/system.cpio
	step "Making the guest's system" vfio_guest_pack "$INITRAMFS" "$WORK/overlay" || exit 1
}

# machine - set VM_COMMAND, with devices behind an IOMMU
machine() {
	# shellcheck disable=SC2034 # for machine_command()
	local MEMORY=1G
	machine_command intel_iommu=on
	machine_iommu
	truncate -s 64M "$WORK/disk.img" "$WORK/pulled.img"
	# shellcheck disable=SC2054 # commas inside of QEMU's options
	VM_COMMAND+=(-drive "file=$WORK/disk.img,if=none,id=disk,format=raw"
		-device nvme,drive=disk,serial=physical,addr=4
		-nic none -device e1000e,addr=5 -device edu,addr=6 -device pcie-root-port,id=plug,addr=1
		-drive "file=$WORK/pulled.img,if=none,id=pulled-disk,format=raw"
		-device nvme,drive=pulled-disk,serial=pulled,id=pulled,bus=plug
		-qmp "unix:$WORK/qmp.sock,server=on,wait=off")
}

wants_unplug() {
	guest_reported "$1" unplug now || guest_exited
}

# On a busy host the guest may miss an unplug request: repeat it.
unplug_device() {
	local _
	for _ in 1 2 3; do
		python3 "$ROOT/tests/vm/qmp.py" "$WORK/qmp.sock" device_del '{"id":"pulled"}' \
			DEVICE_DELETED 30 && return
	done
	return 1
}

# unplug NAME DIR - when the guest requests it, unplug a device by QMP
unplug() {
	guest_wait_for "$2" "$STEP_TIMEOUT" wants_unplug || {
		check "$1: the guest requests the unplug, no step taking more than $STEP_TIMEOUT s" 1
		return 1
	}
	! guest_exited || return 1
	try_quiet "$1: unplugged by QMP" unplug_device
}

run_suite() {
	local dir=$OUTPUT_DIR/${1##*/} status=0
	mkdir -p "$dir"
	prepare "$1"
	machine
	guest_start "$dir"
	unplug "$1" "$dir" || true
	guest_wait "$dir" "$STEP_TIMEOUT" || status=$?
	check_guest_report "$dir"
	check "$1: all scripts have run in the guest${GUEST_FAILURE:+: $GUEST_FAILURE}" "$status"
	((status == 0 && FAILED == 0)) || {
		show_tail "$dir/kernel.log" 40
		show_tail "$dir/console.log" 40
	}
}

main() {
	local suite
	[[ $# -ge 1 && -x $1/tools/dextd ]] ||
		usage_die "usage: $0 BUILD [LOGS [SUITE...]]: no tools/dextd in '${1:-}'"
	BUILD=$(realpath "$1")
	[[ $# -lt 3 ]] || SUITES=("${@:3}")
	checks_begin vfio
	OUTPUT_DIR=$WORK/files
	if [[ -n ${2:-} ]]; then
		mkdir -p "$2" && OUTPUT_DIR=$(realpath "$2")
	fi
	packages_ensure "${PACKAGES_VM[@]}"
	vmm_ensure
	system_ensure bookworm
	for suite in "${SUITES[@]}"; do
		run_suite "$suite"
	done
	# shellcheck disable=SC2034 # for checks_end()
	COMPLETE=yes
}

main "$@"
