# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What was fetched and unpacked once, outside of the source tree, for every later
# run and every other clone. Needs say.sh and process.sh.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/dextpci

# cache_need NAME TEXT FUNCTION [ARGUMENT...] - have the directory $CACHE/NAME
#
# FUNCTION is called with a new directory in front of its arguments, fills it, and
# that becomes $CACHE/NAME in one rename: the directory is complete or not there.
# Of several runs at a time one makes it and the others wait. A changed recipe
# needs a changed NAME.
cache_need() {
	local name=$1 text=$2 lock
	shift 2
	[[ ! -d $CACHE/$name ]] || return 0
	mkdir -p "$CACHE" || die "$CACHE: cannot be made; set XDG_CACHE_HOME to a directory of yours"
	exec {lock}>"$CACHE/$name.lock"
	flock --nonblock "$lock" ||
		step "Waiting for another run to make $name" flock --timeout 900 "$lock" ||
		die "$CACHE/$name.lock: held by another run for 15 minutes"
	if [[ ! -d $CACHE/$name ]]; then
		step "$text" cache_make "$name" "$@" || die "$CACHE/$name could not be made"
	fi
	exec {lock}>&-
}

# In a step's subshell, under the lock: leftovers of killed runs are not in use.
cache_make() {
	local name=$1 fill=$2 new
	shift 2
	rm -rf "$CACHE/.$name".*
	new=$(mktemp -d "$CACHE/.$name.XXXXXX") || return 1
	# shellcheck disable=SC2064 # the directory of now
	trap "rm -rf '$new'" EXIT
	"$fill" "$new" "$@" || return 1
	chmod 755 "$new"
	mv -T "$new" "$CACHE/$name"
}
