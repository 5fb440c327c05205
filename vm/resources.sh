# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# File descriptors and shared mappings of a process, from /proc. Tests use this to check that
# a server releases the resources of a client.

# resources_list PID - print the kinds of its descriptors, and its shared mappings
#
# Descriptor numbers, inodes and addresses are omitted, so that two lists can be compared.
resources_list() {
	find "/proc/$1/fd" -mindepth 1 -printf 'descriptor %l\n' 2>/dev/null | sed 's/:\[[0-9]*\]$//'
	awk '$2 ~ /s$/ {
		name = $6
		for (i = 7; i <= NF; i++)
			name = name " " $i
		print "mapping", $2, name
	}' "/proc/$1/maps"
}

# resources_wait_released PID FILE SECONDS - wait until the process has no resource that is not
# in FILE, an earlier list
#
# On a timeout, prints the additional ones and returns 1.
resources_wait_released() {
	resources_wait "$1" "$2" "$3" comm -13
}

# resources_wait_equal PID FILE SECONDS - wait until its resources are those in FILE, an earlier
# list
#
# On a timeout, prints the differences and returns 1.
resources_wait_equal() {
	resources_wait "$1" "$2" "$3" diff
}

# resources_wait PID FILE SECONDS COMPARE... - wait until COMPARE, called with both lists, prints
# nothing
resources_wait() {
	local pid=$1 file=$2 deadline=$((SECONDS + $3)) difference
	shift 3
	while
		difference=$("$@" <(sort "$file") <(resources_list "$pid" | sort))
		[[ -n $difference ]]
	do
		if ((SECONDS >= deadline)); then
			printf '%s\n' "$difference"
			return 1
		fi
		sleep 0.1
	done
}
