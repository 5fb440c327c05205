#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds that differ from the usual one: without uthash, without the tests, with archives.
# Usage: test-builds.sh SOURCE
set -u
source=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
# The options of the build that runs this are not these builds'.
unset CFLAGS LDFLAGS

# A compiler that has everything but uthash.h.
cat >"$work/cc" <<-'EOF'
	#!/bin/sh
	for argument; do
		case $argument in
		*.c) ! grep -q 'uthash\.h' "$argument" || exit 1 ;;
		esac
	done
	exec cc "$@"
EOF
chmod +x "$work/cc"
fails_at_setup() {
	! CC=$work/cc meson setup "$work/none" "$source" -Dtests=disabled &&
		grep -q 'uthash-dev' "$work/out"
}
check 'without uthash.h the setup fails, and says what to install' fails_at_setup

cat >"$work/client.c" <<-'EOF'
	#include <apple-dext-client.h>
	int main(void)
	{
		AppleDextDevice *devices;
		size_t count;

		apple_dext_disconnect(apple_dext_connect(0, 0, 0));
		return apple_dext_copy_bound_devices(&devices, &count) != kIOReturnSuccess || count;
	}
EOF
export DEXT_SOCKET=$work/nobody.sock
links_archives() {	# links_archives PREFIX: a program that needs no library of ours at run time
	local lib
	lib=$(dirname "$(find "$1" -name libiokit-user.a)") || return 1
	# shellcheck disable=SC2046
	PKG_CONFIG_PATH=$lib/pkgconfig cc -o "$work/client" "$work/client.c" \
		$(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --cflags apple-dext-client) \
		-Wl,-Bstatic $(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --static --libs apple-dext-client) \
		-Wl,-Bdynamic &&
		! ldd "$work/client" | grep -E 'iokit-user|apple-dext-client' && "$work/client"
}
has_no_benchmarks() { ! ninja -C "$1" -t targets all | grep -E 'dextpci-bench|tests/'; }
for kind in static both; do
	build=$work/$kind
	check "$kind: the setup" meson setup "$build" "$source" --prefix "$work/root-$kind" \
		-Dtests=disabled "-Ddefault_library=$kind"
	check "$kind: without tests nothing of them is built" has_no_benchmarks "$build"
	check "$kind: it builds" ninja -C "$build"
	check "$kind: it installs" meson install -C "$build" --no-rebuild
	check "$kind: a program links the archives" links_archives "$work/root-$kind"
	check "$kind: the installed dextctl runs" "$work/root-$kind/bin/dextctl" --version
done
echo "builds: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
