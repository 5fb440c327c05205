# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# Restrictions of the running processes, as reported by the kernel, not by systemd.

# root_is_read_only PID
root_is_read_only() {
	awk '$5 == "/" { options = $6 } END { exit options !~ /^ro(,|$)/ }' "/proc/$1/mountinfo"
}

# inside PID COMMAND... - run as root in the mount namespace of the process
inside() {
	local pid="$1"
	shift
	/usr/bin/nsenter --target "$pid" --mount -- "$@"
}

# interfaces PID - interfaces of its network namespace
interfaces() {
	sed -n 's/^ *\([^ :]*\):.*/\1/p' "/proc/$1/net/dev" | tr '\n' ' '
}

confined() {
	local unit="$1" pid
	pid=$(main_pid "$unit")
	check "$unit: no new privileges" [ "$(status "$pid" NoNewPrivs)" = 1 ]
	check "$unit: system calls are filtered" [ "$(status "$pid" Seccomp)" = 2 ]
	for set in CapEff CapPrm CapBnd CapAmb; do
		check "$unit: no capabilities ($set)" [ "$(status "$pid" $set)" = 0000000000000000 ]
	done
	check "$unit: no network but lo" [ "$(interfaces "$pid")" = "lo " ]
	check "$unit: its own network namespace" \
		[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]
	check "$unit: / is read-only" root_is_read_only "$pid"
	check "$unit: nothing can be written to /usr" says "Read-only" inside "$pid" touch /usr/x
	check "$unit: nothing can be written to /etc" says "Read-only" inside "$pid" touch /etc/x
	check "$unit: the sockets' folder can be written" \
		inside "$pid" sh -c "echo >$SOCKETS/x && rm $SOCKETS/x"
	check "$unit: homes are hidden" \
		[ "$(inside "$pid" sh -c 'ls -A /root 2>/dev/null; echo end')" = end ]
	check "$unit: its /tmp is private" not inside "$pid" ls /tmp/shared
	check "$unit: many descriptors" grep -q '^Max open files *262144 *262144 ' "/proc/$pid/limits"
	report "security $(systemd-analyze security --no-pager "$unit" | tail -n 1)"
}

touch /root/secret /tmp/shared
confined dextd.service
check "dextd.service: its state can be written" \
	inside "$(main_pid dextd)" sh -c 'echo >/var/lib/dextpci/x && rm /var/lib/dextpci/x'
confined "$SERVER"
check "$SERVER: the state of dextd is read-only" \
	says "Read-only" inside "$(main_pid "$SERVER")" touch /var/lib/dextpci/x
check "$SERVER: no devices of the host" not inside "$(main_pid "$SERVER")" ls /dev/ttyS0
# The number of seccomp filters: those of systemd, and one of the program.
check "$SERVER: its own sandbox is active" [ "$(status "$(main_pid "$SERVER")" Seccomp_filters)" -gt \
	"$(status "$(main_pid dextd)" Seccomp_filters)" ]
