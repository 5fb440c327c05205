# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A guest whose two processors have a queue each, and that unbinds, binds, resets and
# removes the PCI function, and suspends. guest/function is the guest's part.

FUNCTION_JOBS=run,queues,rebind,flr,controller_reset,rescan,suspend

# resets_counted FILE - the number of resets of the device in a trace
resets_counted() {
	grep -c '"ResetDevice"' "$1"
}

test_function() {
	local name="function" dir trace
	dir=$(logs "function")
	new_disk
	service_start "$MODE" "$DISK" "$dir"
	job_machine "dextpci.job=$FUNCTION_JOBS" dextpci.format=yes dextpci.directory=files suspend.pm_test_delay=1
	machine_disk "$ORIGINALS/originals.img"
	process_start "$dir/trace.json" "$BUILD/tools/dextctl" --socket "$WORK/dextd.sock" trace \
		"$DEVICE_ADDRESS" --json
	trace=$PROCESS_PID
	guest_start "$dir"
	if guest_finishes "$name" "$dir"; then
		function_reported "$name" "$dir"
		check_kernel_log "$name" "$dir"
	fi
	process_stop "$trace"
	try "$name: the resets reached the device ($(resets_counted "$dir/trace.json"))" \
		test "$(resets_counted "$dir/trace.json")" -ge "$(guest_value "$dir" resets)"
	check_no_dma_faults "$name"
	image_check_files "$name" "$DISK" files
	try "$name: the programs exit cleanly" service_stop
}

function_reported() {
	local name=$1 dir=$2 cpu
	try "$name: two I/O queues" test "$(guest_value "$dir" queues)" -eq 2
	for cpu in 0 1; do
		try "$name: processor $cpu takes its queue's interrupts ($(guest_value "$dir" "cpu-$cpu"))" \
			test "$(guest_value "$dir" "cpu-$cpu")" -gt 0
	done
	try "$name: the function can be reset by FLR" \
		grep -qw flr <<<"$(guest_value "$dir" methods)"
	try "$name: unbound and bound $(guest_value "$dir" rebinds) times" \
		test "$(guest_value "$dir" rebinds)" -eq 10
	try "$name: suspended to memory and resumed" test "$(guest_value "$dir" slept)" -eq 1
}
