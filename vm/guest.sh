# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Starts a guest, and reads its reports until it powers off. The reports are lines that
# guest/init writes to a serial port. Needs process.sh and machine.sh.

GUEST_PID=

# Progress texts for the steps of guest/init.
declare -A GUEST_STEPS=(
	[boot]="Guest: booting"
	[mkfs]="Guest: making a file system"
	[mount]="Guest: mounting it"
	[originals]="Guest: mounting the test files"
	[copy]="Guest: writing the files"
	[sync]="Guest: syncing"
	[remount]="Guest: unmounting, mounting again"
	[check]="Guest: checking the files"
	[unmount]="Guest: unmounting"
	[flood]="Guest: writing in a loop"
)

# guest_start DIR - run VM_COMMAND, with logs in DIR/{qemu,console,report,kernel}.log
guest_start() {
	machine_serial "$1/console.log" "$1/report.log" "$1/kernel.log"
	: >"$1/report.log"
	process_start "$1/qemu.log" "${VM_COMMAND[@]}"
	GUEST_PID=$PROCESS_PID
}

# guest_value DIR KEY - print the last value that the guest reported for KEY
guest_value() {
	whole_lines "$1/report.log" | awk -v key="$2" '
		$1 == "dextpci:" && $2 == key { sub(/^dextpci: [^ ]+ ?/, ""); value = $0 }
		END { print value }'
}

# guest_reported DIR KEY VALUE - whether the guest has reported a value for KEY that begins with
# VALUE, a regular expression
guest_reported() {
	whole_lines "$1/report.log" | grep "^dextpci: $2 $3" >/dev/null
}

# guest_step_ms DIR STEP - print the duration of a step in milliseconds, by the guest's clock
guest_step_ms() {
	whole_lines "$1/report.log" | awk -v name="$2" '
		$1 == "dextpci:" && $2 == "took" && $3 == name { value = $4 }
		END { printf "%d", value }'
}

# guest_wait DIR SECONDS - show progress until the guest has powered off
#
# A step that takes more than SECONDS is an error. Return: 0 when the guest has reported its
# end and the exit status of the VMM is 0; else 1, with the reason in GUEST_FAILURE.
guest_wait() {
	local dir=$1 status=0
	GUEST_FAILURE=
	guest_wait_for "$dir" "$2" guest_exited || GUEST_FAILURE="step not finished after $2 s: $PROGRESS_TEXT"
	process_stop "$GUEST_PID" || status=$?
	[[ -z $PROGRESS_TEXT ]] || progress_end
	if [[ -z $GUEST_FAILURE ]]; then
		GUEST_FAILURE=$(guest_value "$dir" failed)
		grep -q '^dextpci: end' "$dir/report.log" || GUEST_FAILURE=${GUEST_FAILURE:-"the guest did not report its end"}
		[[ $status -eq 0 ]] || GUEST_FAILURE=${GUEST_FAILURE:-"the VMM's exit status was $status"}
	fi
	[[ -z $GUEST_FAILURE ]]
}

# guest_wait_for DIR SECONDS CONDITION - show progress until CONDITION, a function, returns 0
#
# CONDITION is called with DIR. Return: 1 when a step has taken more than SECONDS.
guest_wait_for() {
	local dir=$1 limit=$2 condition=$3 current now deadline=$((SECONDS + $2))
	current=$(guest_value "$dir" step)
	current=${current:-boot}
	progress_begin "${GUEST_STEPS[$current]:-Guest: $current}"
	until "$condition" "$dir"; do
		now=$(guest_value "$dir" step)
		if [[ -n $now && $now != "$current" ]]; then
			progress_end
			current=$now
			deadline=$((SECONDS + limit))
			progress_begin "${GUEST_STEPS[$now]:-Guest: $now}"
		fi
		((SECONDS < deadline)) || return 1
		progress_update ""
		sleep 0.1
	done
}

guest_exited() {
	! kill -0 "$GUEST_PID" 2>/dev/null
}

# guest_log_problems DIR [ALLOWED] - print the lines of the guest kernel's log that show a problem
#
# These are all messages of the NVMe driver, except those of a successful probe; and warnings
# and errors of other parts of the kernel that a faulty device can cause: failed I/O, a
# damaged file system, spurious interrupts, PCIe errors. ALLOWED is a regular expression
# for lines to ignore.
guest_log_problems() {
	ALLOWED=${2:-} awk '
		function expected(text) {
			return text ~ /^nvme nvme[0-9]+: pci function / ||
				text ~ /^nvme nvme[0-9]+: [0-9]+\/[0-9]+\/[0-9]+ default\/read\/poll queues$/ ||
				(ENVIRON["ALLOWED"] != "" && text ~ ENVIRON["ALLOWED"])
		}
		match($0, /^<[0-9]+>/) {
			level = substr($0, 2, RLENGTH - 2) % 8
			text = substr($0, RLENGTH + 1)
			sub(/^\[ *[0-9.]+\] /, "", text)
			if (expected(text))
				next
			if (text ~ /^(pci [0-9a-f:.]+: )?nvme/ || (level <= 4 && text ~ \
			    /nvme|I\/O error|EXT4-fs|JBD2|hung_task|blocked for more than|nobody cared|No irq handler|DMAR|AER|PME|0000:00:10\.0|WARNING:|BUG:|Call Trace|rcu:/))
				print text
		}' "$1/kernel.log"
}
