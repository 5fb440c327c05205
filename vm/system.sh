# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A guest that is a small Debian, whose systemd is the first process. Nothing of it is
# configured or run on this machine; no root is needed. Needs cache.sh, debian.sh,
# initramfs.sh and machine.sh.

SYSTEM_TREE=	# the packages, unpacked

# To run: an init, a shell, and the libraries that dextpci's programs and tests need.
SYSTEM_PACKAGES=(systemd udev kmod busybox-static util-linux libc-bin
	libjson-c5 libpci3 libseccomp2 libsystemd0 libcmocka0)
# Documentation and translations, which the guest does not need.
SYSTEM_WITHOUT=(usr/share/{doc,man,locale,info,lintian,bug,bash-completion,zsh,polkit-1,perl5,i18n}
	usr/lib/systemd/catalog usr/lib/udev/hwdb.d usr/lib/x86_64-linux-gnu/gconv usr/lib/locale)

# system_need RELEASE - have SYSTEM_TREE, and packed beside it: $SYSTEM_TREE.cpio
system_need() {
	cache_need "system-$1-2" "Fetching the guest's systemd (once, about 20 MB)" system_fetch "$1"
	SYSTEM_TREE=$CACHE/system-$1-2/root
}

system_fetch() {
	local dir=$1/apt
	debian_open "$dir" amd64 "$2" &&
		debian_fetch "$dir" "${SYSTEM_PACKAGES[@]}" &&
		debian_unpack "$dir" "$1/root" &&
		system_merge "$1/root" || return 1
	rm -rf "$dir" "${SYSTEM_WITHOUT[@]/#/$1/root/}"
	initramfs_pack "$1/root" >"$1/root.cpio"
}

# A merged /usr, as Debian has it since 12, of packages that may know nothing of it.
system_merge() {
	local name
	for name in bin sbin lib lib64; do
		[[ ! -L $1/$name ]] || continue
		mkdir -p "$1/$name" "$1/usr/$name"
		cp -a "$1/$name/." "$1/usr/$name/" && rm -rf "${1:?}/$name" &&
			ln -s "usr/$name" "$1/$name" || return 1
	done
	mkdir -p "$1"/{proc,sys,dev,run,tmp,root}
}

# system_runs ROOT PROGRAM... - whether programs below ROOT, built here, find their libraries
#
# Those of ROOT and the guest's. Prints what is missing: a build on a newer release than the
# guest's wants newer symbols.
system_runs() {
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

# system_initramfs FILE DIR - the system, and over it what is in DIR
system_initramfs() {
	install -m 755 "$VM/system/init" "$2/init" || return 1
	{ cat "$SYSTEM_TREE.cpio" && initramfs_pack "$2"; } >"$1"
}

# system_modules DIR MODULE... - put modules of the guest's kernel, with all they need, into DIR
system_modules() {
	local dir=$1 modules=lib/modules/$GUEST_KERNEL file
	shift
	modprobe -d "$KERNEL_TREE" -S "$GUEST_KERNEL" -a --show-depends "$@" |
		sed -n 's|^insmod .*/\(kernel/[^ ]*\).*|\1|p' | sort -u |
		while read -r file; do
			install -D -m 644 "$KERNEL_TREE/$modules/$file" "$dir/$modules/$file"
		done
	cp "$KERNEL_TREE/$modules"/modules.{order,builtin,builtin.modinfo} "$dir/$modules/"
	depmod -b "$dir" "$GUEST_KERNEL" && mkdir -p "$dir/usr/lib" &&
		mv "$dir/lib/modules" "$dir/usr/lib/" && rmdir "$dir/lib"
}

# system_machine [ARGUMENT...] - MACHINE; the system boots to multi-user.target
#
# Nobody logs in, and udev is there for the devices that appear later. ARGUMENTs are the kernel's.
system_machine() {
	machine_command "$@" systemd.mask=systemd-udev-trigger.service systemd.unit=multi-user.target systemd.getty_auto=no \
		systemd.show_status=no systemd.mask=getty-static.service \
		systemd.mask=proc-sys-fs-binfmt_misc.automount
}
