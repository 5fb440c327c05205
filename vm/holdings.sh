# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a process holds on behalf of others, by the kernel's books. For tests of
# what is left when a client dies.

# holdings PID - its descriptors, by kind, and its shared mappings
#
# Numbers, inodes and addresses are left out: two lists compare.
holdings() {
	find "/proc/$1/fd" -mindepth 1 -printf 'descriptor %l\n' 2>/dev/null | sed 's/:\[[0-9]*\]$//'
	awk '$2 ~ /s$/ {
		name = $6
		for (i = 7; i <= NF; i++)
			name = name " " $i
		print "mapping", $2, name
	}' "/proc/$1/maps"
}

# holdings_vanish PID FILE SECONDS - until it holds nothing beyond what it held when FILE was written
#
# Prints what is too much when that does not come about.
holdings_vanish() {
	holdings_await "$1" "$2" "$3" comm -13
}

# holdings_settle PID FILE SECONDS - until it holds what it held when FILE was written
#
# Prints what is too much, or missing, when that does not come about.
holdings_settle() {
	holdings_await "$1" "$2" "$3" diff
}

# holdings_await PID FILE SECONDS COMPARE... - until COMPARE finds nothing between then and now
holdings_await() {
	local pid=$1 file=$2 deadline=$((SECONDS + $3)) found
	shift 3
	while
		found=$("$@" <(sort "$file") <(holdings "$pid" | sort))
		[[ -n $found ]]
	do
		if ((SECONDS >= deadline)); then
			printf '%s\n' "$found"
			return 1
		fi
		sleep 0.1
	done
}
