# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# Queries of units, programs and sockets, for the parts.

# shellcheck disable=SC2034 # for the parts
SERVER=dext-vfio-user@01:00.0.service
SOCKETS=/run/dextpci

# is UNIT PROPERTY VALUE
is() {
	local value
	value=$(property "$1" "$2")
	[ "$value" = "$3" ] || {
		echo "$1: $2 is $value, expected $3"
		return 1
	}
}

property() {
	systemctl show --value --property "$2" "$1"
}

# main_pid UNIT - an invalid PID when it does not run
main_pid() {
	local pid
	pid=$(property "$1" MainPID)
	[ "$pid" != 0 ] || pid=none
	echo "$pid"
}

# another_pid UNIT PID - whether it runs, in another process than before
another_pid() {
	is "$1" ActiveState active && not is "$1" MainPID "$2"
}

# status PID KEY - a line of /proc/PID/status
status() {
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# as USER COMMAND...
#
# The program of util-linux: that of busybox lacks these options.
as() {
	local user="$1"
	shift
	/usr/bin/setpriv --reuid "$user" --regid "$user" --init-groups "$@"
}

# says TEXT COMMAND... - whether it fails with this error
says() {
	local text="$1" output
	shift
	! output=$("$@" 2>&1 </dev/null) && echo "$output" && echo "$output" | grep -qF "$text"
}

# prints PATTERN COMMAND... - whether it succeeds and prints a line that matches PATTERN
prints() {
	local pattern="$1" output
	shift
	output=$("$@" 2>&1 </dev/null) && echo "$output" && echo "$output" | grep -qE "$pattern"
}

# file_is FILE OWNER:GROUP:MODE
file_is() {
	[ "$(stat -c %U:%G:%a "$1")" = "$2" ] || {
		stat -c '%n: %U:%G:%a' "$1"
		return 1
	}
}

# dextctl_as USER ARGUMENT... - run dextctl as a user
dextctl_as() {
	local user="$1"
	shift
	as "$user" dextctl --socket $SOCKETS/dextd.sock "$@"
}

# look [USER] [ADDRESS] - query a device with a vfio-user client
look() {
	as "${1:-monitor}" ./vfio-user-look "$SOCKETS/vfio-user-${2:-01:00.0}.sock" </dev/null
}

# journal UNIT [TEXT] - log lines of its processes in this boot
journal() {
	journalctl --quiet --no-pager -o cat -u "$1" | grep -F -e "${2:-}"
}
