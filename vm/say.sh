# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the user sees: errors in one line, progress of what takes a while, and the
# closing table of what was proven.

die() {
	progress_drop
	printf 'dextpci: %s\n' "$*" >&2
	exit 1
}

# A wrong command line: told apart from a failed job by the exit status.
usage_die() {
	printf 'dextpci: %s\n' "$*" >&2
	exit 2
}

# show_tail FILE [LINES] - the end of a log, indented, for a failure's report
show_tail() {
	[[ -s $1 ]] || return 0
	printf '  --- the end of %s:\n' "$1" >&2
	tail -n "${2:-15}" "$1" | tr -d '\r' | sed 's/^/  | /' >&2
}

# whole_lines FILE - without the last line, as long as its writer has not ended it
whole_lines() {
	head -n "$(wc -l <"$1")" "$1"
}

now_ms() {
	local us=${EPOCHREALTIME/[.,]/}
	printf '%s' "$((us / 1000))"
}

# seconds MILLISECONDS - "12.3"
seconds() {
	printf '%d.%d' "$(($1 / 1000))" "$(($1 % 1000 / 100))"
}

# mebibytes BYTES - "12.3 MiB"
mebibytes() {
	local tenths=$(($1 * 10 / 1048576))
	printf '%d.%d MiB' "$((tenths / 10))" "$((tenths % 10))"
}

# --- Progress -----------------------------------------------------------------
# On a terminal one line that is drawn anew; elsewhere a line at the end of each
# step, and one at its beginning as soon as it is seen to take long.

PROGRESS_TEXT=
PROGRESS_BEGAN=0
PROGRESS_TOLD=

progress_begin() {
	PROGRESS_TEXT=$1
	PROGRESS_BEGAN=$(now_ms)
	PROGRESS_TOLD=
	progress_tick ""
}

# progress_tick NOTE - to be called a few times a second
progress_tick() {
	local elapsed=$(($(now_ms) - PROGRESS_BEGAN))
	if [[ -t 2 ]]; then
		printf '\r\033[K  %s  %s s  %s' "$PROGRESS_TEXT" "$((elapsed / 1000))" "$1" >&2
	elif [[ -z $PROGRESS_TOLD && $elapsed -ge 2000 ]]; then
		PROGRESS_TOLD=yes
		printf '  %s ...\n' "$PROGRESS_TEXT" >&2
	fi
}

# progress_end [RESULT]
progress_end() {
	local elapsed=$(($(now_ms) - PROGRESS_BEGAN))
	[[ -t 2 ]] && printf '\r\033[K' >&2
	printf '  %-42s %6s s%s\n' "$PROGRESS_TEXT" "$(seconds "$elapsed")" "${1:+  $1}" >&2
	PROGRESS_TEXT=
}

# The step that was under way will not end: leave no half line behind.
progress_drop() {
	[[ -z $PROGRESS_TEXT ]] || progress_end "stopped"
}

# --- The table ----------------------------------------------------------------

PROOFS=()
PROOFS_FAILED=0

# prove WHAT VALUE STATUS - one line of the table; STATUS 0 means that it holds
prove() {
	local verdict=ok
	if [[ $3 -ne 0 ]]; then
		verdict=FAILED
		PROOFS_FAILED=$((PROOFS_FAILED + 1))
	fi
	PROOFS+=("$1"$'\t'"$2"$'\t'"$verdict")
}

proofs_reset() {
	PROOFS=()
	PROOFS_FAILED=0
}

proofs_print() {
	printf '%s\n' "${PROOFS[@]}" | awk -F '\t' '
		{ what[NR] = $1; value[NR] = $2; verdict[NR] = $3 }
		length($1) > w { w = length($1) }
		length($2) > v { v = length($2) }
		END {
			for (i = 1; i <= NR; i++)
				printf "  %-*s  %-*s  %s\n", w, what[i], v, value[i], verdict[i]
		}'
}
