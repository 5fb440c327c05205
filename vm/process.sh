# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The temporary directory and the child processes of a script. Both are removed when the script
# exits, also by a signal.

WORK=		# the temporary directory, for sockets, logs and other files
CHILDREN=()	# process groups of steps, and processes of servers, to be stopped at exit
PROCESS_PID=	# the process that process_start() has started last

# workdir_create - create the temporary directory, and set the traps that clean up
workdir_create() {
	local parent=${TMPDIR:-/tmp}
	# The path is used in socket addresses (108 bytes) and in option strings.
	[[ $parent =~ ^/[A-Za-z0-9/._+-]{0,59}$ && -w $parent ]] || parent=/tmp
	WORK=$(mktemp -d "$parent/dextpci.XXXXXX") || exit 1
	mkdir "$WORK/files"
	trap cleanup EXIT
	trap 'exit_on_signal 129' HUP
	trap 'exit_on_signal 130' INT
	trap 'exit_on_signal 143' TERM
	trap 'exit_on_signal 141' PIPE
}

# exit_on_signal STATUS - the trap of a signal
#
# The signal may also have ended the process that reads the output of this one.
exit_on_signal() {
	trap '' PIPE
	progress_abort
	exit "$1"
}

cleanup() {
	local pid
	trap '' HUP INT TERM
	for pid in "${CHILDREN[@]}"; do
		process_stop "$pid"
	done
	rm -rf "$WORK"
}

# process_stop PID - stop a child by SIGTERM, after 15 s by SIGKILL, and wait for its exit
#
# Return: its exit status (137 after SIGKILL).
process_stop() {
	local pid=$1 deadline=$((SECONDS + 15)) status=0
	kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null
	while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
		sleep 0.05
	done
	kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null || status=$?
	child_remove "$pid"
	return "$status"
}

# process_kill PID - stop a child by SIGKILL
process_kill() {
	{
		kill -KILL "$1"
		wait "$1"
	} 2>/dev/null
	child_remove "$1"
}

child_remove() {
	local pid remaining=()
	for pid in "${CHILDREN[@]}"; do
		[[ $pid == "$1" ]] || remaining+=("$pid")
	done
	CHILDREN=("${remaining[@]}")
}

# process_start LOG COMMAND [ARGUMENT...] - run a server in the background; sets PROCESS_PID
#
# It gets its own process group, so that Ctrl-C does not stop it before cleanup() does, and
# PDEATHSIG, so that it is killed when this script is killed.
process_start() {
	local log=$1
	shift
	set -m
	setpriv --pdeathsig KILL -- "$@" >"$log" 2>&1 </dev/null &
	PROCESS_PID=$!
	set +m
	CHILDREN+=("$PROCESS_PID")
}

# step TEXT COMMAND [ARGUMENT...] - run a command, and show TEXT and the elapsed time
#
# COMMAND may be a function; it runs in a subshell. The last line that it writes to the
# descriptor 3 is shown after the elapsed time. When it fails, the end of its output is
# shown.
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
		progress_update "$note"
		sleep 0.1
	done
	wait "$pid" || status=$?
	child_remove "$pid"
	if [[ $status -ne 0 ]]; then
		progress_end "FAILED"
		show_tail "$WORK/step.log"
		return "$status"
	fi
	progress_end
}

# socket_wait PATH PID SECONDS - wait until a process listens on a socket
#
# A connection for the check would be a client to the server. Instead, a datagram socket is
# connected: the kernel refuses it with EPROTOTYPE, and does not notify the server.
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
probe = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sys.exit(probe.connect_ex(sys.argv[1]) != errno.EPROTOTYPE)' "$1"
}
