#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: tests/vm/test-systemd.sh BUILD [LOGS [RELEASE]]
#
# The units, in a guest whose init is Debian's systemd: BUILD, a build directory, is
# installed there. What is checked stands in tests/vm/systemd, and is carried out in the
# guest. LOGS, when given, is a directory that keeps the logs; kernel.log is the whole
# journal. RELEASE is the guest's: Debian 12's, bookworm, unless given, or this machine's
# own where BUILD does not run there.

set -u -o pipefail

# shellcheck source=vm/vm.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../vm/vm.sh"
# shellcheck source=vm/system.sh
. "$VM/system.sh"
# shellcheck source=tests/vm/check.sh
. "$ROOT/tests/vm/check.sh"

# Users for the checks of access.
USERS=(
	'u monitor - "a virtual machine monitor"'
	'm monitor kvm'
	'u stranger - "nobody in particular"'
)

PROGRAMS=(usr/local/bin/{dextd,dextctl,dext-vfio-user} guest/vfio-user-look)

# Files added to the guest's system: an installed dextpci, and the checks.
overlay() {
	local dir=$1
	meson install -C "$BUILD" --no-rebuild --destdir "$dir" >"$FILES/install.log" 2>&1 || {
		show_tail "$FILES/install.log"
		return 1
	}
	rm -rf "$dir/usr/local/include" "$dir/usr/local/share"
	install -D -t "$dir/guest" "$BUILD/tests/vfio-user-look" "$BUILD/examples/example-edu" \
		"$VM/system/report.sh" \
		"$ROOT"/tests/vm/systemd/* &&
		install -D -m 644 -t "$dir/etc/systemd/system" "$VM/system/guest.service" &&
		mkdir -p "$dir/etc/systemd/system/multi-user.target.wants" "$dir/etc/sysusers.d" &&
		ln -s ../guest.service "$dir/etc/systemd/system/multi-user.target.wants/" &&
		printf '%s\n' "${USERS[@]}" >"$dir/etc/sysusers.d/test.conf" &&
		system_modules "$dir" vfio-pci vfio_iommu_type1
}

prepare() {
	packages_need "${PACKAGES_VM[@]}"
	vmm_need
	guest_tree_need
	step "Installing dextpci for the guest" overlay "$WORK/overlay" || exit 1
	[[ -x $WORK/overlay/usr/local/bin/dextd ]] ||
		die "$BUILD: its prefix is not /usr/local, where the guest looks for dextpci"
	system_choose "$1"
	INITRAMFS=$WORK/system.cpio
	step "Making the guest's system" system_initramfs "$INITRAMFS" "$WORK/overlay" || exit 1
}

# system_choose [RELEASE] - the guest's system, which must run what was built here
system_choose() {
	local release own
	own=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	for release in ${1:-bookworm $own}; do
		system_need "$release"
		system_runs "$WORK/overlay" "${PROGRAMS[@]}" >"$FILES/libraries.log" && return 0
	done
	show_tail "$FILES/libraries.log"
	die "$BUILD: does not run on a guest with Debian's $release; build it on an older release"
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
	done < <(tr -d '\r' <"$FILES/report.log")
}

main() {
	local status=0
	[[ $# -ge 1 && -x $1/tools/dextd ]] ||
		usage_die "usage: $0 BUILD [LOGS [RELEASE]]: no tools/dextd in '${1:-}'"
	BUILD=$(realpath "$1")
	checks_begin systemd
	FILES=$WORK/files
	if [[ -n ${2:-} ]]; then
		mkdir -p "$2" && FILES=$(realpath "$2")
	fi
	prepare "${3:-}"
	system_machine intel_iommu=on
	machine_iommu
	MACHINE+=(-nic none -device "edu,addr=6")
	guest_start "$FILES"
	guest_wait "$FILES" "$LIMIT" || status=$?
	take_over
	check "guest: through with everything${GUEST_FAILURE:+: $GUEST_FAILURE}" "$status"
	((status == 0 && FAILED == 0)) || show_tail "$FILES/kernel.log" 60
	((status == 0)) || show_tail "$FILES/console.log"
	# shellcheck disable=SC2034 # for checks_end()
	COMPLETE=yes
}

main "$@"
