# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The Mach-O vfio-user server for x86_64, by the loader, under a stock QEMU. Needs cross.sh.

# The cases of tests/vm/test-vm.sh. Registers are not shared: Apple's IOKit has no descriptors.
GUEST_CASES=(devices outage)

test_guests() {
	local server=$WORK/dext-vfio-user
	cross_end x86_64 || return 1
	printf '#!/bin/sh\nexec %q %q "$@"\n' "$BUILD/tests/macos/loader/macho-run" \
		"$CROSS/x86_64/tools/dext-vfio-user" >"$server"
	chmod +x "$server"
	checks_of "$ROOT/tests/vm/test-vm.sh" --server "$server" --bar-access mapped \
		"$BUILD" "$OUTPUT_DIR/guests" "${GUEST_CASES[@]}"
	rm -f "$OUTPUT_DIR/guests/disk.img"
	skip "--bar-access shared" "$NO_DESCRIPTORS"
}
