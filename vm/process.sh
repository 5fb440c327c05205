# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The working directory and the processes of a run: whatever is started here ends
# with the script, however the script ends.

WORK=		# temporary: sockets, logs, scratch; gone at the end
CHILDREN=()	# process groups (of steps) and processes (of servers) to be ended
STARTED=	# the process that start() started last

# work_begin - make the working directory, arm the clean-up
work_begin() {
	local parent=${TMPDIR:-/tmp}
	# It ends up in socket addresses (108 bytes) and in option strings.
	[[ $parent =~ ^/[A-Za-z0-9/._+-]{0,59}$ && -w $parent ]] || parent=/tmp
	WORK=$(mktemp -d "$parent/dextpci.XXXXXX") || exit 1
	mkdir "$WORK/files"
	trap work_end EXIT
	trap 'work_stop 129' HUP
	trap 'work_stop 130' INT
	trap 'work_stop 143' TERM
	trap 'work_stop 141' PIPE
}

# work_stop STATUS - on a signal, which may have ended who reads what is said here, too
work_stop() {
	trap '' PIPE
	progress_drop
	exit "$1"
}

work_end() {
	local pid
	trap '' HUP INT TERM
	for pid in "${CHILDREN[@]}"; do
		process_end "$pid"
	done
	rm -rf "$WORK"
}

# process_end PID - stop a child by SIGTERM, then SIGKILL, and wait for its exit
#
# Return: its exit status (137 when it had to be killed).
process_end() {
	local pid=$1 deadline=$((SECONDS + 15)) status=0
	kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null
	while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
		sleep 0.05
	done
	kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null || status=$?
	child_forget "$pid"
	return "$status"
}

# process_kill PID - end a child without giving it a chance
process_kill() {
	{
		kill -KILL "$1"
		wait "$1"
	} 2>/dev/null
	child_forget "$1"
}

child_forget() {
	local pid left=()
	for pid in "${CHILDREN[@]}"; do
		[[ $pid == "$1" ]] || left+=("$pid")
	done
	CHILDREN=("${left[@]}")
}

# start LOG COMMAND [ARGUMENT...] - run a server; its process id is in STARTED
#
# It gets its own process group, so that Ctrl-C does not reach it before the
# clean-up does, and dies with this script even when that one is killed.
start() {
	local log=$1
	shift
	set -m
	setpriv --pdeathsig KILL -- "$@" >"$log" 2>&1 </dev/null &
	STARTED=$!
	set +m
	CHILDREN+=("$STARTED")
}

# step TEXT COMMAND [ARGUMENT...] - run something that takes a while, with progress
#
# COMMAND may be a function; it runs in a subshell. Lines that it writes to the
# descriptor 3 are shown beside the elapsed time. When it fails, the end of its
# output is shown.
step() {
	local text=$1 pid status=0 note=
	shift
	: >"$WORK/step.note"
	progress_begin "$text"
	set -m
	("$@") >"$WORK/step.log" 2>&1 3>>"$WORK/step.note" </dev/null &
	pid=$!
	set +m
	CHILDREN+=("$pid")
	while kill -0 "$pid" 2>/dev/null; do
		note=$(whole_lines "$WORK/step.note" | tail -n 1)
		progress_tick "$note"
		sleep 0.1
	done
	wait "$pid" || status=$?
	child_forget "$pid"
	if [[ $status -ne 0 ]]; then
		progress_end "FAILED"
		show_tail "$WORK/step.log"
		return "$status"
	fi
	progress_end
}

# socket_wait PATH PID SECONDS - until a process listens on a socket
#
# A connection made to find out would be a client like any other. A datagram socket is told
# that it is of the wrong type, and the server does not hear of it.
socket_wait() {
	local deadline=$((SECONDS + $3))
	while ! socket_listening "$1"; do
		if ! kill -0 "$2" 2>/dev/null || ((SECONDS >= deadline)); then
			return 1
		fi
		sleep 0.05
	done
}

socket_listening() {
	python3 -c '
import errno, socket, sys
asker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sys.exit(asker.connect_ex(sys.argv[1]) != errno.EPROTOTYPE)' "$1"
}
