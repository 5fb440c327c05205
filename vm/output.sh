# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Output for the user: errors in one line, progress of steps, and the table of results.

die() {
	progress_abort
	printf 'dextpci: %s\n' "$*" >&2
	exit 1
}

# An error in the command line, which has its own exit status.
usage_die() {
	printf 'dextpci: %s\n' "$*" >&2
	exit 2
}

# show_tail FILE [LINES] - print the end of a log, indented
show_tail() {
	[[ -s $1 ]] || return 0
	printf '  --- the end of %s:\n' "$1" >&2
	tail -n "${2:-15}" "$1" | tr -d '\r' | sed 's/^/  | /' >&2
}

# whole_lines FILE - print it without a last line that is not terminated yet
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
# On a terminal, one line that is updated. Otherwise, a line at the end of each step, and
# another one after 2 s.

PROGRESS_TEXT=
PROGRESS_START_MS=0
PROGRESS_SHOWN=

progress_begin() {
	PROGRESS_TEXT=$1
	PROGRESS_START_MS=$(now_ms)
	PROGRESS_SHOWN=
	progress_update ""
}

# progress_update NOTE - print the elapsed time; to be called a few times a second
progress_update() {
	local elapsed=$(($(now_ms) - PROGRESS_START_MS))
	if [[ -t 2 ]]; then
		printf '\r\033[K  %s  %s s  %s' "$PROGRESS_TEXT" "$((elapsed / 1000))" "$1" >&2
	elif [[ -z $PROGRESS_SHOWN && $elapsed -ge 2000 ]]; then
		PROGRESS_SHOWN=yes
		printf '  %s ...\n' "$PROGRESS_TEXT" >&2
	fi
}

# progress_end [RESULT]
progress_end() {
	local elapsed=$(($(now_ms) - PROGRESS_START_MS))
	[[ -t 2 ]] && printf '\r\033[K' >&2
	printf '  %-42s %6s s%s\n' "$PROGRESS_TEXT" "$(seconds "$elapsed")" "${1:+  $1}" >&2
	PROGRESS_TEXT=
}

# The current step does not end: terminate the line.
progress_abort() {
	[[ -z $PROGRESS_TEXT ]] || progress_end "stopped"
}

# --- The table of results -----------------------------------------------------

RESULTS=()
RESULTS_FAILED=0

# result_add NAME VALUE STATUS - add a line to the table; STATUS 0 is success
result_add() {
	local result=ok
	if [[ $3 -ne 0 ]]; then
		result=FAILED
		RESULTS_FAILED=$((RESULTS_FAILED + 1))
	fi
	RESULTS+=("$1"$'\t'"$2"$'\t'"$result")
}

results_reset() {
	RESULTS=()
	RESULTS_FAILED=0
}

results_print() {
	printf '%s\n' "${RESULTS[@]}" | awk -F '\t' '
		{ name[NR] = $1; value[NR] = $2; result[NR] = $3 }
		length($1) > w { w = length($1) }
		length($2) > v { v = length($2) }
		END {
			for (i = 1; i <= NR; i++)
				printf "  %-*s  %-*s  %s\n", w, name[i], v, value[i], result[i]
		}'
}
