# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# For scripts in the guest: how they talk to the host. Lines "dextpci: KEY VALUE" on the
# second serial port, as guest/init writes them.

exec 3>/dev/ttyS1
stty -F /dev/ttyS1 raw

report() {
	echo "dextpci: $*" >&3
	echo "$*"	# in the journal: what happened when
}

step() {
	report "step $*"
}

# check NAME COMMAND... - a check that the command succeeds; "ok" or "not-ok"
#
# Of one that fails the last lines of output are reported too.
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

# settles SECONDS COMMAND... - until the command succeeds, for so long at most
settles() {
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

no() {
	! "$@"
}

finish() {
	report "end"
	exec 3>&-
}
