# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What guests are made of: Debian 12's kernel, its modules, and the few programs
# that a guest runs. Needs cache.sh and debian.sh, and kmod.

GUEST_TREE=	# the packages, unpacked
GUEST_KERNEL=	# the kernel's release, "6.1.0-..-amd64"
GUEST_IMAGE=	# what the VMM starts

guest_tree_need() {
	cache_need guest-bookworm-3 "Fetching the guest's kernel (once, about 75 MB)" guest_tree_fetch
	GUEST_TREE=$CACHE/guest-bookworm-3/root
	GUEST_KERNEL=$(basename "$GUEST_TREE"/lib/modules/*)
	GUEST_IMAGE=$GUEST_TREE/boot/vmlinux-$GUEST_KERNEL
	# shellcheck disable=SC2034 # for those who source this
	[[ -f $GUEST_IMAGE ]] || GUEST_IMAGE=$GUEST_TREE/boot/vmlinuz-$GUEST_KERNEL
}

guest_tree_fetch() {
	local dir=$1/apt kernel image
	debian_open "$dir" amd64 bookworm || return 1
	kernel=$(debian_apt "$dir" apt-cache depends linux-image-amd64 |
		sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p')
	debian_fetch_alone "$dir" "$kernel" &&
		debian_fetch "$dir" busybox-static e2fsprogs kexec-tools &&
		debian_unpack "$dir" "$1/root" &&
		depmod -b "$1/root" "$(basename "$1"/root/lib/modules/*)" || return 1
	image=$(echo "$1"/root/boot/vmlinuz-*)
	kernel_unpack "$image" "${image/vmlinuz/vmlinux}"
	rm -rf "$dir"
}

# kernel_unpack IMAGE FILE - the kernel that is packed in an image, as it will run
#
# It can do that itself, but without KVM it takes seconds at each start. The image's
# header (Linux/x86 boot protocol: setup_sects, payload_offset, payload_length) says where
# it lies; its length stands behind it. Where it is packed in another way, there is no
# FILE, and the image serves as well.
kernel_unpack() {
	local setup offset length
	setup=$(od -An -t u1 -j 497 -N 1 "$1")
	read -r offset length < <(od -An -t u4 -j 584 -N 8 "$1")
	dd if="$1" bs=64k iflag=skip_bytes,count_bytes status=none \
		skip="$(((setup + 1) * 512 + offset))" count="$((length - 4))" | xz -dc >"$2"
	[[ $(head -c 4 "$2") == $'\x7fELF' ]] || rm -f "$2"
}
