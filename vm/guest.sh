# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A guest: started, monitored by its reports, stopped. guest/init
# writes the lines that are read here. Needs process.sh, machine.sh.

GUEST_PID=

# What guest/init calls its steps.
declare -A GUEST_STEPS=(
	[boot]="Guest: booting"
	[mkfs]="Guest: making a file system"
	[mount]="Guest: mounting it"
	[originals]="Guest: finding the originals"
	[copy]="Guest: writing the files"
	[sync]="Guest: syncing"
	[remount]="Guest: unmounting, mounting again"
	[check]="Guest: checking the files"
	[unmount]="Guest: unmounting"
	[flood]="Guest: writing without end"
)

# guest_start DIR - start MACHINE; its logs are DIR/{qemu,console,report,kernel}.log
guest_start() {
	machine_serial "$1/console.log" "$1/report.log" "$1/kernel.log"
	: >"$1/report.log"
	start "$1/qemu.log" "${MACHINE[@]}"
	GUEST_PID=$STARTED
}

# guest_value DIR KEY - the last value that the guest reported for KEY
guest_value() {
	whole_lines "$1/report.log" | awk -v key="$2" '
		$1 == "dextpci:" && $2 == key { sub(/^dextpci: [^ ]+ ?/, ""); value = $0 }
		END { print value }'
}

# guest_reported DIR KEY VALUE - whether the guest ever said so
guest_reported() {
	whole_lines "$1/report.log" | grep "^dextpci: $2 $3" >/dev/null
}

# guest_took DIR STEP - in milliseconds, by the guest's clock
guest_took() {
	whole_lines "$1/report.log" | awk -v name="$2" '
		$1 == "dextpci:" && $2 == "took" && $3 == name { value = $4 }
		END { printf "%d", value }'
}

# guest_wait DIR SECONDS - show its progress until it has powered off
#
# Each of its steps may take SECONDS. Return: 0 when it said that it is through and
# its VMM ended well; else 1, with the reason in GUEST_FAILURE.
guest_wait() {
	local dir=$1 status=0
	GUEST_FAILURE=
	guest_follow "$dir" "$2" guest_gone || GUEST_FAILURE="nothing new for $2 s in: $PROGRESS_TEXT"
	process_end "$GUEST_PID" || status=$?
	[[ -z $PROGRESS_TEXT ]] || progress_end
	if [[ -z $GUEST_FAILURE ]]; then
		GUEST_FAILURE=$(guest_value "$dir" failed)
		grep -q '^dextpci: end' "$dir/report.log" || GUEST_FAILURE=${GUEST_FAILURE:-"it did not get to its end"}
		[[ $status -eq 0 ]] || GUEST_FAILURE=${GUEST_FAILURE:-"the VMM's exit status was $status"}
	fi
	[[ -z $GUEST_FAILURE ]]
}

# guest_follow DIR SECONDS CONDITION - show its steps until CONDITION, a function, holds
#
# CONDITION is called with DIR. Return: 1 when a step took more than SECONDS.
guest_follow() {
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
		progress_tick ""
		sleep 0.1
	done
}

guest_gone() {
	! kill -0 "$GUEST_PID" 2>/dev/null
}

# guest_complaints DIR [ALLOWED] - lines of its kernel's log that should not be there
#
# What the NVMe driver says, whatever the level, unless it is known good news; and
# from others, warnings and worse on what a device can bring about: failed I/O, a
# damaged file system, stray interrupts, a function that does not behave. ALLOWED is
# a regular expression for lines to let pass.
guest_complaints() {
	ALLOWED=${2:-} awk '
		function good(text) {
			return text ~ /^nvme nvme[0-9]+: pci function / ||
				text ~ /^nvme nvme[0-9]+: [0-9]+\/[0-9]+\/[0-9]+ default\/read\/poll queues$/ ||
				(ENVIRON["ALLOWED"] != "" && text ~ ENVIRON["ALLOWED"])
		}
		match($0, /^<[0-9]+>/) {
			level = substr($0, 2, RLENGTH - 2) % 8
			text = substr($0, RLENGTH + 1)
			sub(/^\[ *[0-9.]+\] /, "", text)
			if (good(text))
				next
			if (text ~ /^(pci [0-9a-f:.]+: )?nvme/ || (level <= 4 && text ~ \
			    /nvme|I\/O error|EXT4-fs|JBD2|hung_task|blocked for more than|nobody cared|No irq handler|DMAR|AER|PME|0000:00:10\.0|WARNING:|BUG:|Call Trace|rcu:/))
				print text
		}' "$1/kernel.log"
}
