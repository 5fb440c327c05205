#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# meson install --destdir puts everything in its place, where it runs as it is; a program
# against IOKit's surface alone compiles with the installed pkg-config flags and drives a
# device of the installed dextd.
# Usage: test-install.sh BUILD SOURCE
set -u
build=$1 source=$2
work=$(mktemp -d) || exit 1
dextd=
cleanup() {
	[ -z "$dextd" ] || kill "$dextd" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"

check 'meson install --destdir' meson install -C "$build" --no-rebuild --destdir "$work/root"
prefix=$(find "$work/root" -type d -name bin -printf '%h\n' | head -n 1)
lib=$(dirname "$(find "$work/root" -name 'libiokit-user.so.1' | head -n 1)")
for file in bin/dextd bin/dext-vfio-user bin/dextctl include/apple-dext-client.h include/dext-abi.h \
	include/iokit-user/IOKit/IOKitLib.h include/iokit-user/CoreFoundation/CoreFoundation.h \
	include/iokit-user/dispatch/dispatch.h include/iokit-user/mach/mach.h \
	include/iokit-user/iokit-user/client.h include/iokit-user/iokit-user/service.h \
	share/man/man1/dextctl.1 share/man/man7/dextpci.7 share/man/man8/dextd.8 \
	share/man/man8/dext-vfio-user.8 lib/systemd/system/dextd-vfio@.service \
	lib/udev/rules.d/70-dextpci.rules share/bash-completion/completions/dextctl; do
	check "$file is there" test -s "$prefix/$file"
done
for name in apple-dext-client iokit-user; do
	check "lib$name.so.1 is there" test -e "$lib/lib$name.so.1"
	check "lib$name.so is there" test -e "$lib/lib$name.so"
	check "$name.pc is there" test -s "$lib/pkgconfig/$name.pc"
done

export PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/root
# Installed programs find their libraries, with any prefix.
unset LD_LIBRARY_PATH
finds_ours() {
	[ "$lib/libiokit-user.so.1" -ef "$(ldd "$1" | sed -n 's/.*libiokit-user.so.1 => \([^ ]*\).*/\1/p')" ]
}
for name in bin/dextd bin/dext-vfio-user bin/dextctl; do
	check "the installed $name finds the installed library" finds_ours "$prefix/$name"
done
check 'so does the installed client library' finds_ours "$lib/libapple-dext-client.so.1"
export DEXT_SOCKET=$work/dextd.sock
flags() { pkg-config --cflags --libs "$1"; }
# Only the runtime's flags: none of the client library's, none of the build's.
# shellcheck disable=SC2046,SC2086 # flags, and a launcher before the compiler
check 'a program of IOKit alone compiles' \
	${CC:-cc} -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Werror ${SANITIZE:+-fsanitize=$SANITIZE} \
	-o "$work/iokit-only" "$source/tests/install/iokit-only.c" $(flags iokit-user)
printf '#include <apple-dext-client.h>\nint main(void) { apple_dext_disconnect(apple_dext_connect(0, 0, 0)); return 0; }\n' \
	>"$work/client.c"
# shellcheck disable=SC2046,SC2086 # flags, and a launcher before the compiler
check 'a program of the client library compiles' \
	${CC:-cc} -Wall -Wextra -Werror ${SANITIZE:+-fsanitize=$SANITIZE} -o "$work/client" \
	"$work/client.c" $(flags apple-dext-client)
# TSan does not know fences; the examples run on it all the same.
for name in edu nvme; do
	# shellcheck disable=SC2046,SC2086 # flags, and a launcher before the compiler
	check "examples/$name.c compiles" \
		${CC:-cc} -std=gnu17 -Wall -Wextra -Werror ${SANITIZE:+-fsanitize=$SANITIZE} -Wno-error=tsan \
		-o "$work/$name" "$source/examples/$name.c" $(flags apple-dext-client)
done
"$prefix/bin/dextd" --socket "$DEXT_SOCKET" --device nvme,addr=02:00.0,size=1M \
	--device nvme,addr=01:00.0,size=1M --device edu,addr=03:00.0 2>"$work/log" &
dextd=$!
for _ in $(seq 400); do
	grep -q '^dextd: serving' "$work/log" && break
	sleep 0.05
done
check 'it finds and drives a device of the installed dextd' \
	env LD_LIBRARY_PATH="$lib" "$work/iokit-only"
check 'the installed dextctl lists it' sh -c "'$prefix/bin/dextctl' list | grep -q '^01:00.0'"
export LD_LIBRARY_PATH=$lib
check 'the example edu drives a device of it' "$work/edu" 03:00.0
writes_and_reads() {
	head -c 262144 /dev/urandom >"$work/data" &&
		"$work/nvme" 02:00.0 write 0 512 <"$work/data" &&
		"$work/nvme" 02:00.0 read 0 512 >"$work/back" && cmp "$work/data" "$work/back"
}
check 'the example nvme writes and reads back' writes_and_reads
echo "install: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
