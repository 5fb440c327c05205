# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A guest with a minimal Debian system, whose first process is systemd. Its packages are only
# unpacked on the host, without root. Needs cache.sh, debian.sh, initramfs.sh and machine.sh.

SYSTEM_TREE=	# the directory of the unpacked packages

# systemd, a shell, and the libraries of dextpci's programs and tests.
SYSTEM_PACKAGES=(systemd udev kmod busybox-static util-linux libc-bin
	libjson-c5 libpci3 libseccomp2 libsystemd0 libcmocka0)
# Documentation and translations, which the guest does not need.
SYSTEM_REMOVED=(usr/share/{doc,man,locale,info,lintian,bug,bash-completion,zsh,polkit-1,perl5,i18n}
	usr/lib/systemd/catalog usr/lib/udev/hwdb.d usr/lib/x86_64-linux-gnu/gconv usr/lib/locale)

# system_ensure RELEASE - set SYSTEM_TREE; the same files are in the archive $SYSTEM_TREE.cpio
system_ensure() {
	cache_ensure "system-$1-2" "Fetching the guest's systemd (once, about 20 MB)" system_fetch "$1"
	SYSTEM_TREE=$CACHE/system-$1-2/root
}

system_fetch() {
	local dir=$1/apt
	debian_prepare "$dir" amd64 "$2" &&
		debian_fetch "$dir" "${SYSTEM_PACKAGES[@]}" &&
		debian_unpack "$dir" "$1/root" &&
		system_merge_usr "$1/root" || return 1
	rm -rf "$dir" "${SYSTEM_REMOVED[@]/#/$1/root/}"
	initramfs_pack "$1/root" >"$1/root.cpio"
}

# Merge /usr, as Debian 12 requires: packages may still have files in /bin, /lib and so on.
system_merge_usr() {
	local name
	for name in bin sbin lib lib64; do
		[[ ! -L $1/$name ]] || continue
		mkdir -p "$1/$name" "$1/usr/$name"
		cp -a "$1/$name/." "$1/usr/$name/" && rm -rf "${1:?}/$name" &&
			ln -s "usr/$name" "$1/$name" || return 1
	done
	mkdir -p "$1"/{proc,sys,dev,run,tmp,root}
}

# system_check_libraries ROOT PROGRAM... - check that programs below ROOT can be run in the guest
#
# Their libraries are in ROOT and SYSTEM_TREE. Prints the missing libraries and symbols: programs
# that were built on a newer release than the guest's need newer symbols.
system_check_libraries() {
	local root=$1 libraries=$SYSTEM_TREE/usr/lib/x86_64-linux-gnu own program list
	own=$(dirname "$(find "$root" -name 'libiokit-user.so.1' | head -n 1)")
	shift
	for program in "$@"; do
		if ! list=$("$libraries/ld-linux-x86-64.so.2" --library-path "$own:$libraries" \
			--list "$root/$program" 2>&1) || [[ $list == *"not found"* ]]; then
			printf '%s\n' "$list"
			return 1
		fi
	done
}

# system_initramfs FILE DIR - write an initramfs with the system and the files in DIR
#
# Files in DIR replace those of the system.
system_initramfs() {
	install -m 755 "$VM_DIR/system/init" "$2/init" || return 1
	{ cat "$SYSTEM_TREE.cpio" && initramfs_pack "$2"; } >"$1"
}

# system_modules DIR MODULE... - copy modules of the guest's kernel and their dependencies to DIR
system_modules() {
	local dir=$1 modules=lib/modules/$GUEST_KERNEL_RELEASE file
	shift
	modprobe -d "$KERNEL_TREE" -S "$GUEST_KERNEL_RELEASE" -a --show-depends "$@" |
		sed -n 's|^insmod .*/\(kernel/[^ ]*\).*|\1|p' | sort -u |
		while read -r file; do
			install -D -m 644 "$KERNEL_TREE/$modules/$file" "$dir/$modules/$file"
		done
	cp "$KERNEL_TREE/$modules"/modules.{order,builtin,builtin.modinfo} "$dir/$modules/"
	depmod -b "$dir" "$GUEST_KERNEL_RELEASE" && mkdir -p "$dir/usr/lib" &&
		mv "$dir/lib/modules" "$dir/usr/lib/" && rmdir "$dir/lib"
}

# system_machine [WORD...] - set VM_COMMAND; the system boots to multi-user.target
#
# There are no gettys, and udev handles only devices that appear after the boot. WORDs are added
# to the kernel's command line.
system_machine() {
	machine_command "$@" systemd.mask=systemd-udev-trigger.service systemd.unit=multi-user.target systemd.getty_auto=no \
		systemd.show_status=no systemd.mask=getty-static.service \
		systemd.mask=proc-sys-fs-binfmt_misc.automount
}
