# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The programs under test: the driver's daemon and the vfio-user server. Needs
# process.sh. BUILD is the build directory.

DEVICE_ADDRESS=01:00.0
DEXTD_PID=
DEXTD_LOG=
SERVER_PID=
SERVER_LOG=

# service_start MODE IMAGE DIR [KEYS] - make the disk IMAGE reachable on $WORK/vfio-user.sock
#
# MODE is split (driver and server in two processes), embedded (in one) or reference
# (nothing to start: the VMM emulates the disk). Logs go to DIR. KEYS are more of the
# device's, as "key=value,...".
service_start() {
	case $1 in
	split)
		dextd_start "${@:2}"
		server_start "$3" --addr "$DEVICE_ADDRESS"
		;;
	embedded)
		server_start "$3" --device "$(device_specification "$2" "${4:-}")"
		;;
	esac
}

device_specification() {
	printf '%s' "nvme,addr=$DEVICE_ADDRESS,image=$1${2:+,$2}"
}

# dextd_start IMAGE DIR [KEYS]
dextd_start() {
	DEXTD_LOG=$2/dextd.log
	start "$DEXTD_LOG" "$BUILD/tools/dextd" --socket "$WORK/dextd.sock" \
		--device "$(device_specification "$1" "${3:-}")"
	DEXTD_PID=$STARTED
	socket_wait "$WORK/dextd.sock" "$DEXTD_PID" 20 || {
		show_tail "$DEXTD_LOG"
		die "dextd does not serve its socket"
	}
}

# server_start DIR OPTION... - OPTIONs tell which device
server_start() {
	SERVER_LOG=$1/dext-vfio-user.log
	shift
	start "$SERVER_LOG" env DEXT_SOCKET="$WORK/dextd.sock" \
		"$BUILD/tools/dext-vfio-user" --socket "$WORK/vfio-user.sock" "$@"
	SERVER_PID=$STARTED
	socket_wait "$WORK/vfio-user.sock" "$SERVER_PID" 20 || {
		show_tail "$SERVER_LOG"
		die "dext-vfio-user does not serve its socket"
	}
}

# service_alive - whether all that was started still runs
service_alive() {
	local pid
	for pid in $DEXTD_PID $SERVER_PID; do
		kill -0 "$pid" 2>/dev/null || return 1
	done
}

# service_deaths - print which of them exited unexpectedly, and how
service_deaths() {
	local pid status
	for pid in $DEXTD_PID $SERVER_PID; do
		kill -0 "$pid" 2>/dev/null && continue
		status=0
		wait "$pid" 2>/dev/null || status=$?
		printf '  %s (%s) has ended, with exit status %s\n' \
			"$([[ $pid == "$DEXTD_PID" ]] && echo dextd || echo dext-vfio-user)" "$pid" "$status" >&2
	done
}

# service_stop - end what was started; fails when a program did not exit cleanly
service_stop() {
	local status=0
	if [[ -n $SERVER_PID ]]; then
		process_end "$SERVER_PID" || status=$?
	fi
	if [[ -n $DEXTD_PID ]]; then
		process_end "$DEXTD_PID" || status=$?
	fi
	SERVER_PID=
	SERVER_LOG=
	DEXTD_PID=
	DEXTD_LOG=
	return "$status"
}

# service_what MODE - for people
service_what() {
	case $1 in
	split) echo "dextd ($DEXTD_PID), dext-vfio-user ($SERVER_PID)" ;;
	embedded) echo "dext-vfio-user ($SERVER_PID) alone" ;;
	reference) echo "none: the VMM's own NVMe device" ;;
	esac
}
