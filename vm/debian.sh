# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Packages of any Debian release, fetched and unpacked into a directory without
# being installed: apt runs with separate state, no root needed. Needs say.sh.

# debian_archives - print where apt's own sources have Debian from, likeliest first
debian_archives() {
	local release
	if [[ -n ${DEXTPCI_DEBIAN_ARCHIVE:-} ]]; then
		printf '%s\n' "$DEXTPCI_DEBIAN_ARCHIVE"
		return 0
	fi
	release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	{
		# Known once apt has lists ...
		# shellcheck disable=SC2016 # apt's variables
		apt-get indextargets 'Created-By: Packages' \
			--format '$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)' 2>/dev/null |
			awk -F '|' '$1 == "Debian" && $2 !~ /-/ && $3 == "main" { print $4 }'
		# ... and before that, whatever has a release of this name.
		apt-get --print-uris update 2>/dev/null |
			sed -n "s|^'\\(.*/\\)dists/$release/InRelease'.*|\\1|p"
	} | awk '!seen[$0]++'
}

# debian_open DIR ARCHITECTURE SUITE... - prepare DIR for debian_apt, fetch the lists
debian_open() {
	local dir=$1 architecture=$2 archive
	shift 2
	command -v apt-get >/dev/null || {
		echo "dextpci: no apt-get here: packages of Debian cannot be fetched"
		return 1
	}
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	chmod 700 "$dir"
	: >"$dir/status"
	debian_configure "$dir" "$architecture"
	while read -r archive; do
		debian_sources "$architecture" "$archive" "$@" >"$dir/sources.list"
		# Whether it really is Debian's, its signature says.
		debian_apt "$dir" apt-get -q update --error-on=any && return 0
	done < <(debian_archives)
	echo "dextpci: apt's sources name no archive of Debian with $*; set DEXTPCI_DEBIAN_ARCHIVE=URI"
	return 1
}

debian_sources() {
	local architecture=$1 archive=$2 suite options=
	shift 2
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg
	[[ ! -r $keys ]] || options="signed-by=$keys"
	for suite in "$@"; do
		printf 'deb [ arch=%s %s ] %s %s main\n' "$architecture" "$options" "$archive" "$suite"
	done
}

debian_configure() {
	cat >"$1/apt.conf" <<-END
		APT::Architecture "$2";
		APT::Architectures { "$2"; };
		APT::Sandbox::User "root";
		APT::Install-Recommends "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::http::Timeout "30";
		Dir::State::lists "$1/lists";
		Dir::State::status "$1/status";
		Dir::State::extended_states "$1/extended_states";
		Dir::Cache::archives "$1/archives";
		Dir::Cache::pkgcache "";
		Dir::Cache::srcpkgcache "";
		Dir::Etc::sourcelist "$1/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
	END
}

# debian_apt DIR COMMAND... - one of apt's commands, on the state in DIR
debian_apt() {
	local dir=$1 tool=$2
	shift 2
	# The system's configuration is read too: that is where its proxy stands.
	"$tool" -c "$dir/apt.conf" "$@"
}

# debian_fetch DIR [OPTION...] PACKAGE... - download packages and all they depend on
debian_fetch() {
	local dir=$1
	shift
	debian_apt "$dir" apt-get -q -y --download-only -o APT::Status-Fd=4 install "$@" \
		4> >(apt_notes)
}

# debian_fetch_alone DIR PACKAGE... - download packages without what they depend on
debian_fetch_alone() {
	local dir=$1
	shift
	(cd "$dir/archives" && debian_apt "$dir" apt-get -q -o APT::Status-Fd=4 download "$@" \
		4> >(apt_notes))
}

# debian_unpack DIR ROOT - unpack what was downloaded; nothing of it is run
debian_unpack() {
	local dir=$1 root=$2 package done=0
	local packages=("$dir"/archives/*.deb)
	mkdir -p "$root"
	for package in "${packages[@]}"; do
		dpkg-deb --extract "$package" "$root" || return 1
		done=$((done + 1))
		printf 'unpacked %d of %d packages\n' "$done" "${#packages[@]}" >&3
	done
}
