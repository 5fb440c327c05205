# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What guests are made of: Debian 12's kernel, its modules, and the few programs
# that a guest runs. Needs cache.sh and debian.sh, and kmod.

GUEST_TREE=	# the packages, unpacked
KERNEL_TREE=	# where lib/modules is: GUEST_TREE, unless kernel_need() has another kernel
GUEST_KERNEL=	# the kernel's release, "6.1.0-..-amd64"
GUEST_IMAGE=	# what the VMM starts

guest_tree_need() {
	cache_need guest-bookworm-3 "Fetching the guest's kernel (once, about 75 MB)" guest_tree_fetch
	GUEST_TREE=$CACHE/guest-bookworm-3/root
	kernel_use "$GUEST_TREE"
}

# kernel_need SUITE - the kernel of another suite of Debian, with the same programs
kernel_need() {
	cache_need "kernel-$1-1" "Fetching the kernel of $1 (once, about 110 MB)" kernel_fetch "$1"
	kernel_use "$CACHE/kernel-$1-1/root"
}

# kernel_use TREE - set KERNEL_TREE, GUEST_KERNEL and GUEST_IMAGE
kernel_use() {
	KERNEL_TREE=$1
	GUEST_KERNEL=$(basename "$KERNEL_TREE"/lib/modules/*)
	GUEST_IMAGE=$KERNEL_TREE/boot/vmlinux-$GUEST_KERNEL
	# shellcheck disable=SC2034 # for those who source this
	[[ -f $GUEST_IMAGE ]] || GUEST_IMAGE=$KERNEL_TREE/boot/vmlinuz-$GUEST_KERNEL
}

kernel_fetch() {
	local dir=$1/apt packages kernel image
	debian_open "$dir" amd64 "$2" || return 1
	mapfile -t packages < <(kernel_packages "$dir")
	debian_fetch_alone "$dir" "${packages[@]}" && debian_unpack "$dir" "$1/root" || return 1
	# Since Debian 13 modules are below /usr, and since Linux 7 the image is beside them.
	[[ -d $1/root/lib/modules ]] || {
		mkdir -p "$1/root/lib" && mv "$1/root/usr/lib/modules" "$1/root/lib/" || return 1
	}
	kernel=$(basename "$1"/root/lib/modules/*)
	depmod -b "$1/root" "$kernel" || return 1
	image=$1/root/boot/vmlinuz-$kernel
	[[ -f $image ]] || {
		mkdir -p "$1/root/boot" && mv "$1/root/lib/modules/$kernel/vmlinuz" "$image" || return 1
	}
	kernel_unpack "$image" "${image/vmlinuz/vmlinux}"
	rm -rf "$dir"
}

# kernel_packages DIR - the packages that linux-image-amd64 stands for: image and modules
kernel_packages() {
	debian_apt "$1" apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
		--no-breaks --no-replaces --no-enhances linux-image-amd64 |
		grep -E '^linux-[a-z]+-[0-9].*-amd64$'
}

guest_tree_fetch() {
	local dir=$1/apt packages image
	debian_open "$dir" amd64 bookworm || return 1
	mapfile -t packages < <(kernel_packages "$dir")
	debian_fetch_alone "$dir" "${packages[@]}" &&
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
