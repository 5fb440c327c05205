# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel of guests, its modules, and the programs that guests run, from packages of
# Debian 12. Needs cache.sh, debian.sh and kmod.

GUEST_TREE=	# the directory of the unpacked packages
KERNEL_TREE=	# contains lib/modules: GUEST_TREE, unless kernel_ensure() sets another kernel
GUEST_KERNEL_RELEASE=	# as uname -r prints it: "6.1.0-..-amd64"
GUEST_KERNEL_IMAGE=	# for QEMU's option -kernel

guest_tree_ensure() {
	cache_ensure guest-bookworm-3 "Fetching the guest's kernel (once, about 75 MB)" guest_tree_fetch
	GUEST_TREE=$CACHE/guest-bookworm-3/root
	kernel_use "$GUEST_TREE"
}

# kernel_ensure SUITE - use the kernel of another suite of Debian, with the same programs
kernel_ensure() {
	cache_ensure "kernel-$1-1" "Fetching the kernel of $1 (once, about 110 MB)" kernel_fetch "$1"
	kernel_use "$CACHE/kernel-$1-1/root"
}

# kernel_use TREE - set KERNEL_TREE, GUEST_KERNEL_RELEASE and GUEST_KERNEL_IMAGE
kernel_use() {
	KERNEL_TREE=$1
	GUEST_KERNEL_RELEASE=$(basename "$KERNEL_TREE"/lib/modules/*)
	GUEST_KERNEL_IMAGE=$KERNEL_TREE/boot/vmlinux-$GUEST_KERNEL_RELEASE
	# shellcheck disable=SC2034 # for scripts that source this
	[[ -f $GUEST_KERNEL_IMAGE ]] || GUEST_KERNEL_IMAGE=$KERNEL_TREE/boot/vmlinuz-$GUEST_KERNEL_RELEASE
}

kernel_fetch() {
	local dir=$1/apt packages kernel image
	debian_prepare "$dir" amd64 "$2" || return 1
	mapfile -t packages < <(kernel_packages "$dir")
	debian_fetch_no_deps "$dir" "${packages[@]}" && debian_unpack "$dir" "$1/root" || return 1
	# Since Debian 13 modules are below /usr, and since Linux 7 the image is in their directory.
	[[ -d $1/root/lib/modules ]] || {
		mkdir -p "$1/root/lib" && mv "$1/root/usr/lib/modules" "$1/root/lib/" || return 1
	}
	kernel=$(basename "$1"/root/lib/modules/*)
	depmod -b "$1/root" "$kernel" || return 1
	image=$1/root/boot/vmlinuz-$kernel
	[[ -f $image ]] || {
		mkdir -p "$1/root/boot" && mv "$1/root/lib/modules/$kernel/vmlinuz" "$image" || return 1
	}
	kernel_extract_vmlinux "$image" "${image/vmlinuz/vmlinux}"
	rm -rf "$dir"
}

# kernel_packages DIR - print the packages with image and modules, which the metapackage
# linux-image-amd64 depends on
kernel_packages() {
	debian_apt "$1" apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
		--no-breaks --no-replaces --no-enhances linux-image-amd64 |
		grep -E '^linux-[a-z]+-[0-9].*-amd64$'
}

guest_tree_fetch() {
	local dir=$1/apt packages image
	debian_prepare "$dir" amd64 bookworm || return 1
	mapfile -t packages < <(kernel_packages "$dir")
	debian_fetch_no_deps "$dir" "${packages[@]}" &&
		debian_fetch "$dir" busybox-static e2fsprogs kexec-tools &&
		debian_unpack "$dir" "$1/root" &&
		depmod -b "$1/root" "$(basename "$1"/root/lib/modules/*)" || return 1
	image=$(echo "$1"/root/boot/vmlinuz-*)
	kernel_extract_vmlinux "$image" "${image/vmlinuz/vmlinux}"
	rm -rf "$dir"
}

# kernel_extract_vmlinux IMAGE FILE - decompress the vmlinux of a bzImage to FILE
#
# A bzImage decompresses itself, but without KVM that takes seconds at each boot. The fields
# setup_sects, payload_offset and payload_length of the header (Linux/x86 boot protocol) tell
# where the compressed data is; its last four bytes are the uncompressed size. If the
# compression is not xz, FILE is not created, and guests boot the bzImage.
kernel_extract_vmlinux() {
	local setup offset length
	setup=$(od -An -t u1 -j 497 -N 1 "$1")
	read -r offset length < <(od -An -t u4 -j 584 -N 8 "$1")
	dd if="$1" bs=64k iflag=skip_bytes,count_bytes status=none \
		skip="$(((setup + 1) * 512 + offset))" count="$((length - 4))" | xz -dc >"$2"
	[[ $(head -c 4 "$2") == $'\x7fELF' ]] || rm -f "$2"
}
