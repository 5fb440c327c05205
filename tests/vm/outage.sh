# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The driver service is killed and restarted while a guest works. The guest's driver
# waits twice ten seconds for commands in progress, resets the controller and repeats
# them: nothing is lost. guest/outage is the guest's part.

OUTAGE_ALLOWED='^nvme nvme0: (I/O [0-9]+ .*(aborting|reset controller)|Abort status: )'

outage_ready() {
	[[ $(guest_rounds "$1") -ge 2 ]] || guest_exited
}

guest_rounds() {
	grep -c '^dextpci: rounds' "$1/report.log"
}

test_outage() {
	local name="outage" dir rounds
	dir=$(logs "outage")
	new_disk
	service_start "$MODE" "$DISK" "$dir"
	job_machine dextpci.job=outage dextpci.directory=files nvme_core.io_timeout=10
	machine_disk "$ORIGINALS/originals.img"
	guest_start "$dir"
	guest_wait_for "$dir" "$STEP_TIMEOUT" outage_ready
	progress_end
	process_kill "$DEXTD_PID"
	sleep 1
	dextd_start "$DISK" "$dir"
	rounds=$(guest_rounds "$dir")
	if guest_finishes "$name" "$dir"; then
		try "$name: the guest has continued to write" test "$(guest_rounds "$dir")" -gt "$rounds"
		try "$name: its driver has detected the outage, and reset the controller" \
			grep -q 'nvme0: I/O .* reset controller' "$dir/kernel.log"
		check_kernel_log "$name" "$dir" "$OUTAGE_ALLOWED"
	fi
	image_check_files "$name" "$DISK" files
	try "$name: the programs exit cleanly" service_stop
}
