# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Makes the guest's initramfs: busybox, mkfs.ext4, the kernel modules in guest/modules, and
# guest/init. Needs kernel.sh.

INITRAMFS_PROGRAMS=(sbin/mke2fs)	# paths in GUEST_TREE
INITRAMFS_JOBS=		# a directory with scripts that define more jobs of guest/init

# initramfs_make FILE - write the compressed initramfs
initramfs_make() {
	local root=$WORK/initramfs program
	mkdir -p "$root"/{bin,sbin,etc,lib,proc,sys,dev}
	cp "$GUEST_TREE/bin/busybox" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	ln -s /bin/busybox "$root/sbin/modprobe"	# the path that the kernel executes
	for program in "${INITRAMFS_PROGRAMS[@]}"; do
		initramfs_program "$root" "$GUEST_TREE/$program"
	done
	ln -s mke2fs "$root/sbin/mkfs.ext4"
	cp "$GUEST_TREE/etc/mke2fs.conf" "$root/etc/"
	cp "$VM_DIR/guest/modules" "$root/etc/modules"
	install -m 755 "$VM_DIR/guest/init" "$root/init"
	[[ -z $INITRAMFS_JOBS ]] || cp -r "$INITRAMFS_JOBS" "$root/jobs"
	initramfs_modules "$root" || return 1
	initramfs_pack "$root" | gzip -1 >"$1" || return 1
	rm -rf "$root"
}

# initramfs_pack DIR - print it as an archive in the kernel's format; root owns all files
initramfs_pack() {
	(cd "$1" && find . | cpio --quiet -o -H newc -R 0:0)
}

# A program and its shared libraries.
initramfs_program() {
	local root=$1 program=$2 loader
	cp "$program" "$root/sbin/"
	initramfs_libraries "$root" "$program"
	loader=$(readelf -l "$program" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
	mkdir -p "$root$(dirname "$loader")"
	cp -L "$GUEST_TREE$loader" "$root$loader"
}

initramfs_libraries() {
	local root=$1 name file
	readelf -d "$2" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | while read -r name; do
		[[ ! -e $root/lib/$name ]] || continue
		file=$(find "$GUEST_TREE/lib" "$GUEST_TREE/usr/lib" -maxdepth 2 -name "$name" | head -n 1)
		cp -L "$file" "$root/lib/$name"
		initramfs_libraries "$root" "$file"
	done
}

# The modules in guest/modules and those that they depend on.
initramfs_modules() {
	local root=$1 modules=lib/modules/$GUEST_KERNEL_RELEASE needed file
	needed=$(xargs modprobe -d "$GUEST_TREE" -S "$GUEST_KERNEL_RELEASE" -a --show-depends \
		<"$VM_DIR/guest/modules") || return 1
	needed=$(sed -n 's|^insmod .*/\(kernel/[^ ]*\).*|\1|p' <<<"$needed" | sort -u)
	while read -r file; do
		install -D -m 644 "$GUEST_TREE/$modules/$file" "$root/$modules/$file"
	done <<<"$needed"
	cp "$GUEST_TREE/$modules"/modules.{order,builtin,builtin.modinfo} "$root/$modules/"
	depmod -b "$root" "$GUEST_KERNEL_RELEASE"
}
