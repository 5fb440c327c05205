#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: tests/vm/test-systemd.sh BUILD [LOGS [RELEASE]]
#
# Tests the systemd units in a guest with Debian's systemd, in which BUILD, a build directory, is
# installed. The scripts in tests/vm/systemd run in the guest. LOGS is a directory for the logs;
# without it they are deleted. kernel.log is the complete journal. RELEASE is the guest's
# release of Debian. The default is bookworm (12), or the host's if BUILD does not run there.

set -u -o pipefail

# shellcheck source=vm/vm.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../vm/vm.sh"
# shellcheck source=vm/system.sh
. "$VM_DIR/system.sh"
# shellcheck source=tests/vm/check.sh
. "$ROOT/tests/vm/check.sh"

# Users for the checks of access.
USERS=(
	'u monitor - "a virtual machine monitor"'
	'm monitor kvm'
	'u stranger - "a user without access"'
)

PROGRAMS=(usr/local/bin/{dextd,dextctl,dext-vfio-user} guest/vfio-user-look)

# Files added to the guest's system: an installed dextpci, and the checks.
overlay() {
	local dir=$1
	meson install -C "$BUILD" --no-rebuild --destdir "$dir" >"$OUTPUT_DIR/install.log" 2>&1 || {
		show_tail "$OUTPUT_DIR/install.log"
		return 1
	}
	rm -rf "$dir/usr/local/include" "$dir/usr/local/share"
	install -D -t "$dir/guest" "$BUILD/tests/vfio-user-look" "$BUILD/examples/example-edu" \
		"$VM_DIR/system/report.sh" \
		"$ROOT"/tests/vm/systemd/* &&
		install -D -m 644 -t "$dir/etc/systemd/system" "$VM_DIR/system/guest.service" &&
		mkdir -p "$dir/etc/systemd/system/multi-user.target.wants" "$dir/etc/sysusers.d" &&
		ln -s ../guest.service "$dir/etc/systemd/system/multi-user.target.wants/" &&
		printf '%s\n' "${USERS[@]}" >"$dir/etc/sysusers.d/test.conf" &&
		system_modules "$dir" vfio-pci vfio_iommu_type1
}

prepare() {
	packages_ensure "${PACKAGES_VM[@]}"
	vmm_ensure
	guest_tree_ensure
	step "Installing dextpci for the guest" overlay "$WORK/overlay" || exit 1
	[[ -x $WORK/overlay/usr/local/bin/dextd ]] ||
		die "$BUILD: its prefix is not /usr/local, where the guest looks for dextpci"
	system_select "$1"
	INITRAMFS=$WORK/system.cpio
	step "Making the guest's system" system_initramfs "$INITRAMFS" "$WORK/overlay" || exit 1
}

# system_select [RELEASE] - choose a release for the guest that runs the programs of BUILD
system_select() {
	local release own
	own=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	for release in ${1:-bookworm $own}; do
		system_ensure "$release"
		system_check_libraries "$WORK/overlay" "${PROGRAMS[@]}" >"$OUTPUT_DIR/libraries.log" && return 0
	done
	show_tail "$OUTPUT_DIR/libraries.log"
	die "$BUILD: does not run on a guest with Debian's $release; build it on an older release"
}

main() {
	local status=0
	[[ $# -ge 1 && -x $1/tools/dextd ]] ||
		usage_die "usage: $0 BUILD [LOGS [RELEASE]]: no tools/dextd in '${1:-}'"
	BUILD=$(realpath "$1")
	checks_begin systemd
	OUTPUT_DIR=$WORK/files
	if [[ -n ${2:-} ]]; then
		mkdir -p "$2" && OUTPUT_DIR=$(realpath "$2")
	fi
	prepare "${3:-}"
	system_machine intel_iommu=on
	machine_iommu
	VM_COMMAND+=(-nic none -device "edu,addr=6")
	guest_start "$OUTPUT_DIR"
	guest_wait "$OUTPUT_DIR" "$STEP_TIMEOUT" || status=$?
	check_guest_report "$OUTPUT_DIR"
	check "guest: all scripts have run${GUEST_FAILURE:+: $GUEST_FAILURE}" "$status"
	((status == 0 && FAILED == 0)) || show_tail "$OUTPUT_DIR/kernel.log" 60
	((status == 0)) || show_tail "$OUTPUT_DIR/console.log"
	# shellcheck disable=SC2034 # for checks_end()
	COMPLETE=yes
}

main "$@"
