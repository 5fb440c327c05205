# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Starts and stops dextd, the driver service, and dext-vfio-user, the vfio-user server. Needs
# process.sh. BUILD is the build directory.

DEVICE_ADDRESS=01:00.0
DEXTD_PID=
DEXTD_LOG=
SERVER_PID=
SERVER_LOG=
SERVER_PROGRAM=	# the vfio-user server; empty: the one of BUILD

# service_start MODE IMAGE DIR [KEYS] - serve an NVMe disk with IMAGE on $WORK/vfio-user.sock
#
# MODE is split (dextd and dext-vfio-user), embedded (dext-vfio-user only, with the driver
# in its process) or reference (nothing is started, as QEMU emulates the disk). Logs go to
# DIR. KEYS are appended to the device specification, as "key=value,...".
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
	process_start "$DEXTD_LOG" "$BUILD/tools/dextd" --socket "$WORK/dextd.sock" \
		--device "$(device_specification "$1" "${3:-}")"
	DEXTD_PID=$PROCESS_PID
	socket_wait "$WORK/dextd.sock" "$DEXTD_PID" 20 || {
		show_tail "$DEXTD_LOG"
		die "dextd does not serve its socket"
	}
}

# server_start DIR OPTION... - OPTIONs select the device
server_start() {
	SERVER_LOG=$1/dext-vfio-user.log
	shift
	process_start "$SERVER_LOG" env DEXT_SOCKET="$WORK/dextd.sock" \
		"${SERVER_PROGRAM:-$BUILD/tools/dext-vfio-user}" --socket "$WORK/vfio-user.sock" "$@"
	SERVER_PID=$PROCESS_PID
	socket_wait "$WORK/vfio-user.sock" "$SERVER_PID" 20 || {
		show_tail "$SERVER_LOG"
		die "dext-vfio-user does not serve its socket"
	}
}

# service_running - whether all started programs are still running
service_running() {
	local pid
	for pid in $DEXTD_PID $SERVER_PID; do
		kill -0 "$pid" 2>/dev/null || return 1
	done
}

# service_print_exited - print the programs that have exited, with their exit status
service_print_exited() {
	local pid status
	for pid in $DEXTD_PID $SERVER_PID; do
		kill -0 "$pid" 2>/dev/null && continue
		status=0
		wait "$pid" 2>/dev/null || status=$?
		printf '  %s (%s) has exited with status %s\n' \
			"$([[ $pid == "$DEXTD_PID" ]] && echo dextd || echo dext-vfio-user)" "$pid" "$status" >&2
	done
}

# service_stop - stop the programs; fails when the exit status of one is not 0
service_stop() {
	local status=0
	if [[ -n $SERVER_PID ]]; then
		process_stop "$SERVER_PID" || status=$?
	fi
	if [[ -n $DEXTD_PID ]]; then
		process_stop "$DEXTD_PID" || status=$?
	fi
	SERVER_PID=
	SERVER_LOG=
	DEXTD_PID=
	DEXTD_LOG=
	return "$status"
}

# service_description MODE - print the names and process IDs of the programs
service_description() {
	case $1 in
	split) echo "dextd ($DEXTD_PID), dext-vfio-user ($SERVER_PID)" ;;
	embedded) echo "dext-vfio-user ($SERVER_PID)" ;;
	reference) echo "none: QEMU's NVMe device" ;;
	esac
}
