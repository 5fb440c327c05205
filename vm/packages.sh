# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Debian packages that must be installed on the host. Needs output.sh and process.sh.

# shellcheck disable=SC2034 # for scripts that source this
# To build: the compiler and the libraries.
PACKAGES_BUILD=(gcc libc6-dev pkg-config python3 meson ninja-build libjson-c-dev uthash-dev libpci-dev
	libbsd-dev libcmocka-dev libseccomp-dev libsystemd-dev)
# shellcheck disable=SC2034 # for scripts that source this
# To test: the programs that the tests run.
PACKAGES_TEST=(pciutils bsdutils spin clang libclang-rt-dev clang-format shellcheck mandoc)
# shellcheck disable=SC2034 # for scripts that source this
# To build for macOS. npm is not installed: see headers_ensure().
PACKAGES_MACOS=(clang lld llvm openssl)
# shellcheck disable=SC2034 # for scripts that source this
# To make guests, and to check their disk images.
PACKAGES_VM=(cpio kmod e2fsprogs gzip xz-utils util-linux binutils)

# packages_ensure PACKAGE... - install the packages that are missing
#
# Without dpkg nothing is checked, and a missing program is reported when it is run.
packages_ensure() {
	local missing
	command -v dpkg-query >/dev/null || return 0
	mapfile -t missing < <(packages_missing "$@")
	[[ ${#missing[@]} -gt 0 ]] || return 0
	[[ $(id -u) -eq 0 ]] ||
		die "missing packages; install them with: sudo apt-get install ${missing[*]}"
	if ! packages_known "${missing[@]}"; then
		step "Updating the lists of packages" apt_get update ||
			die "apt-get update failed; missing packages: ${missing[*]}"
	fi
	packages_install "${missing[@]}"
}

packages_missing() {
	local package
	for package in "$@"; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
			printf '%s\n' "$package"
	done
}

packages_known() {
	apt-get -qq --simulate install "$@" >/dev/null 2>&1
}

# If the installation fails, the package lists may be outdated: update them, and try again once.
packages_install() {
	local text="Installing $*"
	[[ ${#text} -le 60 ]] || text="Installing $# packages"
	step "$text" apt_get install --no-install-recommends "$@" && return 0
	if ! step "Updating the lists of packages" apt_get update ||
		! step "$text" apt_get install --no-install-recommends "$@"; then
		die "these packages could not be installed: $*"
	fi
}

# apt-get without prompts. Its progress is written to the descriptor 3, see step().
apt_get() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 \
		-o APT::Status-Fd=4 "$@" 4> >(apt_progress) </dev/null
}

# "dlstatus:1:12.5:Retrieving..." or "pmstatus:package:40:Installing..." -> "12%"
apt_progress() {
	local kind percent
	while IFS=: read -r kind _ percent _; do
		[[ $kind == *status ]] && printf '%s%%\n' "${percent%.*}" >&3
	done
}
