# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Downloads packages of any Debian release and unpacks them into a directory, without
# installing them: apt runs with separate state, and without root. Needs output.sh.

# debian_archives - print the URIs of the host's apt sources that may be Debian archives
#
# The most probable one comes first.
debian_archives() {
	local release
	if [[ -n ${DEXTPCI_DEBIAN_ARCHIVE:-} ]]; then
		printf '%s\n' "$DEXTPCI_DEBIAN_ARCHIVE"
		return 0
	fi
	release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	{
		# If apt has package lists, they name the origin.
		# shellcheck disable=SC2016 # apt's variables
		apt-get indextargets 'Created-By: Packages' \
			--format '$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)' 2>/dev/null |
			awk -F '|' '$1 == "Debian" && $2 !~ /-/ && $3 == "main" { print $4 }'
		# Without lists: all sources that have this release.
		apt-get --print-uris update 2>/dev/null |
			sed -n "s|^'\\(.*/\\)dists/$release/InRelease'.*|\\1|p"
	} | awk '!seen[$0]++'
}

# debian_prepare DIR ARCHITECTURE SUITE... - create apt's state in DIR, download package lists
debian_prepare() {
	local dir=$1 architecture=$2 archive
	shift 2
	command -v apt-get >/dev/null || {
		echo "dextpci: apt-get is not installed: Debian packages cannot be downloaded"
		return 1
	}
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	chmod 700 "$dir"
	: >"$dir/status"
	debian_write_config "$dir" "$architecture"
	while read -r archive; do
		debian_write_sources "$architecture" "$archive" "$@" >"$dir/sources.list"
		# The signature proves that it is a Debian archive.
		debian_apt "$dir" apt-get -q update --error-on=any && return 0
	done < <(debian_archives)
	echo "dextpci: no apt source is a Debian archive with $*; set DEXTPCI_DEBIAN_ARCHIVE=URI"
	return 1
}

debian_write_sources() {
	local architecture=$1 archive=$2 suite options=
	shift 2
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg
	[[ ! -r $keys ]] || options="signed-by=$keys"
	for suite in "$@"; do
		printf 'deb [ arch=%s %s ] %s %s main\n' "$architecture" "$options" "$archive" "$suite"
	done
}

debian_write_config() {
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

# debian_apt DIR COMMAND... - run a command of apt with the state in DIR
debian_apt() {
	local dir=$1 tool=$2
	shift 2
	# apt also reads the host's configuration, which may set a proxy.
	"$tool" -c "$dir/apt.conf" "$@"
}

# debian_fetch DIR [OPTION...] PACKAGE... - download packages and their dependencies
debian_fetch() {
	local dir=$1
	shift
	debian_apt "$dir" apt-get -q -y --download-only -o APT::Status-Fd=4 install "$@" \
		4> >(apt_progress)
}

# debian_fetch_no_deps DIR PACKAGE... - download packages without their dependencies
debian_fetch_no_deps() {
	local dir=$1
	shift
	(cd "$dir/archives" && debian_apt "$dir" apt-get -q -o APT::Status-Fd=4 download "$@" \
		4> >(apt_progress))
}

# debian_unpack DIR ROOT - unpack the downloaded packages; their scripts are not run
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
