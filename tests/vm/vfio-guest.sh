# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The system of a guest whose kernel's VFIO gives devices to dextd. Needs vm.sh and system.sh.
# BUILD is a build directory, OUTPUT_DIR a directory for logs.

# vfio_guest_overlay DIR FILE... - an installed dextpci, and in DIR/guest the tests and FILEs
#
# A FILE "init" is the guest's first process.
vfio_guest_overlay() {
	local dir=$1
	shift
	rm -rf "$dir"
	meson install -C "$BUILD" --no-rebuild --destdir "$dir" >"$OUTPUT_DIR/install.log" 2>&1 || {
		show_tail "$OUTPUT_DIR/install.log"
		return 1
	}
	rm -rf "$dir/usr/local/include" "$dir/usr/local/share"
	install -D -t "$dir/guest" "$BUILD/tests/test-device" "$BUILD/examples/example-edu" \
		"$BUILD/examples/example-nvme" "$VM_DIR/system/report.sh" "$@" \
		"$GUEST_TREE/bin/busybox" &&
		mv "$dir/guest/init" "$dir/init"
}

# vfio_guest_pack FILE DIR - an initramfs: the system, and over it DIR
vfio_guest_pack() {
	{ cat "$SYSTEM_TREE.cpio" && initramfs_pack "$2"; } >"$1"
}
