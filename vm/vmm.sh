# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A stock QEMU with a vfio-user client. Needs cache.sh and debian.sh.

VMM=()		# the command that starts it
VMM_WHAT=	# "QEMU 11.1.3 (Debian ...)"

# vmm_need - find a QEMU that will do, or fetch one; sets VMM and VMM_WHAT
vmm_need() {
	local tree=$CACHE/vmm-trixie-1/root
	if vmm_usable qemu-system-x86_64; then
		VMM=(qemu-system-x86_64)
	else
		cache_need vmm-trixie-1 "Fetching QEMU (once, about 40 MB)" vmm_fetch
		vmm_from_tree "$tree"
		vmm_usable "${VMM[@]}" || die "$tree: the QEMU there does not run; remove it to fetch it anew"
	fi
	# shellcheck disable=SC2034 # for those who source this
	VMM_WHAT=$("${VMM[@]}" --version | sed -n '1s/.*emulator version /QEMU /p')
}

vmm_usable() {
	command -v "$1" >/dev/null && "$@" -device help 2>/dev/null | grep '"vfio-user-pci"' >/dev/null
}

# In a tree of another release than the host's: with that tree's own loader and
# libraries, so that it sees the host's files and needs no chroot and no root.
vmm_from_tree() {
	local tree=$1 libraries loader
	libraries=$(echo "$tree"/usr/lib/*-linux-gnu*)
	loader=$(echo "$libraries"/ld-linux*.so.*)
	VMM=("$loader" --library-path "$libraries" --argv0 qemu-system-x86_64
		"$tree/usr/bin/qemu-system-x86_64" -L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios")
}

vmm_fetch() {
	local dir=$1/apt
	debian_open "$dir" "$(dpkg --print-architecture)" trixie trixie-backports &&
		debian_fetch "$dir" -t trixie-backports qemu-system-x86 &&
		debian_unpack "$dir" "$1/root" || return 1
	rm -rf "$dir"
}
