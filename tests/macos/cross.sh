# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The tree built for macOS, in $CROSS/arm64 and $CROSS/x86_64. Needs sdk.sh and check.sh.

ARCHITECTURES=(arm64 x86_64)
CROSS=	# directory of these builds
declare -A CROSS_PIDS=() CROSS_STATUS=()

# headers_ensure - have Darwin's headers; or set HEADERS_MISSING to why they cannot be had
headers_ensure() {
	HEADERS_MISSING=
	[[ ! -d $CACHE/$SDK_CACHE ]] || return 0
	if ! command -v npm >/dev/null; then
		HEADERS_MISSING="npm, which fetches Darwin's headers, is missing"
		return 1
	fi
	# In a subshell, which die() ends alone.
	(cache_ensure "$SDK_CACHE" "Fetching Darwin's headers" sdk_fetch) && return 0
	if grep -q "^$SDK_UNREACHABLE" "$WORK/step.log"; then
		# shellcheck disable=SC2034 # for those who source this
		HEADERS_MISSING=$SDK_UNREACHABLE
	fi
	return 1
}

# cross_lock - of several runs in one build directory one works, and the others wait
cross_lock() {
	local lock
	mkdir -p "$CROSS"
	exec {lock}<"$CROSS"
	flock --nonblock "$lock" || step "Waiting for another run in $CROSS" flock "$lock"
}

cross_setup() {
	local architecture pid pids=() status=0
	sdk_make "$CROSS" || return 1
	for architecture in "${ARCHITECTURES[@]}"; do
		[[ ! -f $CROSS/$architecture/build.ninja ]] || continue
		meson setup "$CROSS/$architecture" "$ROOT" -Dwerror=true \
			--cross-file "$CROSS/sdk.ini" --cross-file "$ROOT/tests/macos/$architecture.ini" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || status=1
	done
	return "$status"
}

# cross_begin - begin to build for both; cross_end() waits for one
cross_begin() {
	local architecture
	step "Preparing the builds for macOS" cross_setup || return 1
	for architecture in "${ARCHITECTURES[@]}"; do
		process_start "$OUTPUT_DIR/build-$architecture.log" ninja -C "$CROSS/$architecture"
		CROSS_PIDS[$architecture]=$PROCESS_PID
	done
}

# cross_end ARCHITECTURE - wait until this one is built, and check it: without a warning
cross_end() {
	local pid=${CROSS_PIDS[$1]} status=0
	[[ -z ${CROSS_STATUS[$1]:-} ]] || return "${CROSS_STATUS[$1]}"
	step "Building for $1 macOS" tail --pid="$pid" -f /dev/null
	wait "$pid" || status=$?
	child_remove "$pid"
	CROSS_STATUS[$1]=$status
	check "$1: builds with -Werror" "$status"
	[[ $status -eq 0 ]] || show_tail "$OUTPUT_DIR/build-$1.log" 40
	return "$status"
}
