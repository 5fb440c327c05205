# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What guests are made of: Debian 12's kernel, its modules, and the few programs
# that a guest runs. Needs cache.sh and debian.sh, and kmod.

GUEST_TREE=	# the packages, unpacked
GUEST_KERNEL=	# the kernel's release, "6.1.0-..-amd64"

guest_tree_need() {
	cache_need guest-bookworm-2 "Fetching the guest's kernel (once, about 75 MB)" guest_tree_fetch
	GUEST_TREE=$CACHE/guest-bookworm-2/root
	# shellcheck disable=SC2034 # for those who source this
	GUEST_KERNEL=$(basename "$GUEST_TREE"/lib/modules/*)
}

guest_tree_fetch() {
	local dir=$1/apt kernel
	debian_open "$dir" amd64 bookworm || return 1
	kernel=$(debian_apt "$dir" apt-cache depends linux-image-amd64 |
		sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p')
	debian_fetch_alone "$dir" "$kernel" &&
		debian_fetch "$dir" busybox-static e2fsprogs kexec-tools &&
		debian_unpack "$dir" "$1/root" &&
		depmod -b "$1/root" "$(basename "$1"/root/lib/modules/*)" || return 1
	rm -rf "$dir"
}
