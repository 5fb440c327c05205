#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: tests/vm/test-vfio.sh BUILD [LOGS [SUITE...]]
#
# Physical devices, without any: a guest whose VMM emulates an IOMMU (VT-d), an NVMe
# controller, a network adapter and an edu device, all of them real to its stock kernel and
# the VFIO in it. BUILD, a build directory, is installed there; what is checked stands in
# tests/vm/vfio and is carried out in the guest. SUITE is the suite of Debian that the kernel
# is from (bookworm and trixie-backports, unless given), or a directory, with a slash in its
# name, that holds boot/ and lib/modules/ of a kernel.
#
# Devices are opened by iommufd if the kernel has it, which Debian's do not, else by group.

set -u -o pipefail

# shellcheck source=vm/vm.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../vm/vm.sh"
# shellcheck source=vm/system.sh
. "$VM/system.sh"
# shellcheck source=tests/vm/check.sh
. "$ROOT/tests/vm/check.sh"

SUITES=(bookworm trixie-backports)

# overlay DIR - what is put over the guest's system: an installed dextpci, and the checks
overlay() {
	local dir=$1
	meson install -C "$BUILD" --no-rebuild --destdir "$dir" >"$FILES/install.log" 2>&1 || {
		show_tail "$FILES/install.log"
		return 1
	}
	rm -rf "$dir/usr/local/include" "$dir/usr/local/share"
	install -D -t "$dir/guest" "$BUILD/tests/test-device" "$BUILD/examples/example-edu" \
		"$BUILD/examples/example-nvme" "$VM/system/report.sh" "$ROOT"/tests/vm/vfio/* \
		"$GUEST_TREE/bin/busybox" &&
		mv "$dir/guest/init" "$dir/init" &&
		system_modules "$dir" vfio-pci vfio_iommu_type1 nvme # the disk's driver, before VFIO
}

# Packages of the guest's system are unpacked once; this puts the overlay over them.
system_pack() {
	{ cat "$SYSTEM_TREE.cpio" && initramfs_pack "$2"; } >"$1"
}

# prepare SUITE - INITRAMFS, for its kernel
prepare() {
	guest_tree_need
	case $1 in
	bookworm) ;;
	*/*) kernel_use "$1" ;;
	*) kernel_need "$1" ;;
	esac
	rm -rf "$WORK/overlay"
	step "Installing dextpci for the guest" overlay "$WORK/overlay" || exit 1
	INITRAMFS=$WORK/system.cpio
	step "Making the guest's system" system_pack "$INITRAMFS" "$WORK/overlay" || exit 1
}

# machine - MACHINE, with devices behind an IOMMU
machine() {
	# shellcheck disable=SC2034 # for machine_command()
	local MEMORY=1G
	machine_command intel_iommu=on
	machine_iommu
	truncate -s 64M "$WORK/disk.img" "$WORK/pulled.img"
	# shellcheck disable=SC2054 # commas of the VMM's
	MACHINE+=(-drive "file=$WORK/disk.img,if=none,id=disk,format=raw"
		-device nvme,drive=disk,serial=physical,addr=4
		-nic none -device e1000e,addr=5 -device edu,addr=6 -device pcie-root-port,id=plug,addr=1
		-drive "file=$WORK/pulled.img,if=none,id=pulled-disk,format=raw"
		-device nvme,drive=pulled-disk,serial=pulled,id=pulled,bus=plug
		-qmp "unix:$WORK/qmp.sock,server=on,wait=off")
}

# Count each check of the guest here.
take_over() {
	local key value
	while read -r _ key value; do
		case $key in
		ok) check "$value" 0 ;;
		not-ok) check "$value" 1 ;;
		output) printf '    %s\n' "$value" ;;
		esac
	done < <(tr -d '\r' <"$1/report.log")
}

wants_unplug() {
	guest_reported "$1" unplug now || guest_gone
}

# The guest's firmware tables may lose a request on a busy machine: it is repeated.
unplug_device() {
	local _
	for _ in 1 2 3; do
		python3 "$ROOT/tests/vm/qmp.py" "$WORK/qmp.sock" device_del '{"id":"pulled"}' \
			DEVICE_DELETED 30 && return
	done
	return 1
}

# unplug NAME DIR - when the guest asks for it, a device is unplugged by its VMM
unplug() {
	guest_follow "$2" "$LIMIT" wants_unplug || return 1
	! guest_gone || return 1
	try_quiet "$1: unplugged by the VMM's monitor" unplug_device
}

run_suite() {
	local dir=$FILES/${1##*/} status=0
	mkdir -p "$dir"
	prepare "$1"
	machine
	guest_start "$dir"
	unplug "$1" "$dir" || true
	guest_wait "$dir" "$LIMIT" || status=$?
	take_over "$dir"
	check "$1: the guest is through with everything${GUEST_FAILURE:+: $GUEST_FAILURE}" "$status"
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
	FILES=$WORK/files
	if [[ -n ${2:-} ]]; then
		mkdir -p "$2" && FILES=$(realpath "$2")
	fi
	packages_need "${PACKAGES_VM[@]}"
	vmm_need
	system_need bookworm
	for suite in "${SUITES[@]}"; do
		run_suite "$suite"
	done
	# shellcheck disable=SC2034 # for checks_end()
	COMPLETE=yes
}

main "$@"
