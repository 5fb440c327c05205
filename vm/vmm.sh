# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# An unmodified QEMU that has a vfio-user client (vfio-user-pci). Needs cache.sh and debian.sh.

VMM=()		# the command that starts it
VMM_VERSION=	# "QEMU 11.1.3 (Debian ...)"
VMM_TREE=	# unpacked packages of the QEMU that was downloaded

# vmm_ensure - find a QEMU with vfio-user-pci, or download one; sets VMM and VMM_VERSION
vmm_ensure() {
	if vmm_usable qemu-system-x86_64; then
		VMM=(qemu-system-x86_64)
	else
		vmm_tree_ensure
		vmm_use_tree "$VMM_TREE"
		vmm_usable "${VMM[@]}" ||
			die "$VMM_TREE: its QEMU does not run; remove the directory to download it again"
	fi
	# shellcheck disable=SC2034 # for scripts that source this
	VMM_VERSION=$("${VMM[@]}" --version | sed -n '1s/.*emulator version /QEMU /p')
}

# vmm_tree_ensure - download QEMU, whatever the host has; sets VMM_TREE
vmm_tree_ensure() {
	cache_ensure vmm-trixie-1 "Fetching QEMU (once, about 40 MB)" vmm_fetch
	VMM_TREE=$CACHE/vmm-trixie-1/root
}

vmm_usable() {
	command -v "$1" >/dev/null && "$@" -device help 2>/dev/null | grep '"vfio-user-pci"' >/dev/null
}

# The tree may be of another release than the host: QEMU is run with the loader and libraries of
# the tree, without chroot, so that it has access to the host's files.
vmm_use_tree() {
	local tree=$1 libraries loader
	libraries=$(echo "$tree"/usr/lib/*-linux-gnu*)
	loader=$(echo "$libraries"/ld-linux*.so.*)
	VMM=("$loader" --library-path "$libraries" --argv0 qemu-system-x86_64
		"$tree/usr/bin/qemu-system-x86_64" -L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios")
}

vmm_fetch() {
	local dir=$1/apt
	debian_prepare "$dir" "$(dpkg --print-architecture)" trixie trixie-backports &&
		debian_fetch "$dir" -t trixie-backports qemu-system-x86 &&
		debian_unpack "$dir" "$1/root" || return 1
	rm -rf "$dir"
}
