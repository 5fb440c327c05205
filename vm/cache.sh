# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The cache of downloaded and unpacked files. It is outside of the source tree, and shared
# by all runs and clones. Needs output.sh and process.sh.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/dextpci

# cache_ensure NAME TEXT FUNCTION [ARGUMENT...] - create the directory $CACHE/NAME if it is missing
#
# FUNCTION is called with a new directory followed by the ARGUMENTs, and creates the
# content. The new directory is then renamed to $CACHE/NAME, which is therefore always
# complete. Concurrent runs wait for the one that creates it. TEXT is shown as progress.
# When FUNCTION changes, NAME must change too.
cache_ensure() {
	local name=$1 text=$2 lock
	shift 2
	[[ ! -d $CACHE/$name ]] || return 0
	mkdir -p "$CACHE" || die "$CACHE: cannot be created; set XDG_CACHE_HOME to a directory of yours"
	exec {lock}>"$CACHE/$name.lock"
	flock --nonblock "$lock" ||
		step "Waiting for another run to create $name" flock --timeout 900 "$lock" ||
		die "$CACHE/$name.lock: held by another run for 15 minutes"
	if [[ ! -d $CACHE/$name ]]; then
		step "$text" cache_create "$name" "$@" || die "$CACHE/$name could not be created"
	fi
	exec {lock}>&-
}

# Runs in a subshell, under the lock: temporary directories are from runs that were killed.
cache_create() {
	local name=$1 fill=$2 new
	shift 2
	rm -rf "$CACHE/.$name".*
	new=$(mktemp -d "$CACHE/.$name.XXXXXX") || return 1
	# shellcheck disable=SC2064 # expanded now
	trap "rm -rf '$new'" EXIT
	"$fill" "$new" "$@" || return 1
	chmod 755 "$new"
	mv -T "$new" "$CACHE/$name"
}
