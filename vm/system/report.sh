# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# For scripts in the guest: reports to the host. They are lines "dextpci: KEY VALUE" on the
# second serial port, as those of guest/init.

exec 3>/dev/ttyS1
stty -F /dev/ttyS1 raw

report() {
	echo "dextpci: $*" >&3
	echo "$*"	# to the journal, with a time
}

step() {
	report "step $*"
}

# check NAME COMMAND... - report "ok" when the command succeeds, else "not-ok"
#
# When it fails, the last lines of its output are reported too.
check() {
	local name="$1" output
	shift
	if output=$("$@" 2>&1); then
		report "ok $name"
	else
		report "not-ok $name"
		echo "$output" | tail -n 5 | while read -r line; do
			report "output $line"
		done
	fi
}

# retry_for SECONDS COMMAND... - repeat the command until it succeeds, for at most SECONDS
retry_for() {
	local deadline=$(($(uptime_seconds) + $1))
	shift
	until "$@"; do
		[ "$(uptime_seconds)" -lt "$deadline" ] || return 1
		sleep 0.2
	done
}

uptime_seconds() {
	local up
	read -r up _ </proc/uptime
	echo "${up%.*}"
}

# not COMMAND... - whether the command fails
not() {
	! "$@"
}

finish() {
	report "end"
	exec 3>&-
}
