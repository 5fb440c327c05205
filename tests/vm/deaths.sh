# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# With one dextd: a complete job; the server is killed while the guest writes; the VMM is killed
# while the guest writes; a complete job again.

# flood_start DIR NAME - start a guest and wait until it writes continuously
flood_start() {
	local status=0
	job_machine dextpci.job=flood nvme_core.io_timeout=5
	machine_disk "$ORIGINALS/originals.img"
	guest_start "$1"
	guest_wait_for "$1" "$STEP_TIMEOUT" flood_ready
	progress_end
	flood_running "$1" || status=$?
	check "$2: the guest is writing" "$status"
	[[ $status -eq 0 ]] || job_show_logs "$1"
}

flood_ready() {
	flood_running "$1" || guest_exited || ! service_running
}

flood_running() {
	local written
	written=$(guest_value "$1" written)
	((${written:-0} >= 24 << 20)) && ! guest_exited
}

test_killed_server() {
	local name="server killed" dir
	dir=$(logs "server-killed")
	server_start "$dir" --addr "$DEVICE_ADDRESS"
	flood_start "$dir" "$name"
	try "$name: the device was claimed before" device_is 'device["claim"]["claims"] == 1'
	process_kill "$SERVER_PID"
	check_dextd "$name"
	guest_wait_for "$dir" "$STEP_TIMEOUT" disk_lost
	progress_end
	try "$name: the guest detects the loss of its disk" disk_lost "$dir"
	process_stop "$GUEST_PID"
}

# Either the device node is removed, or writing fails. QEMU may also exit when its server
# has exited.
disk_lost() {
	guest_reported "$1" lost "" || guest_reported "$1" failed flood || guest_exited
}

test_killed_vmm() {
	local name="VMM killed" dir
	dir=$(logs "vmm-killed")
	server_start "$dir" --addr "$DEVICE_ADDRESS"
	resources_list "$SERVER_PID" >"$WORK/server.idle"
	flood_start "$dir" "$name"
	process_kill "$GUEST_PID"
	try "$name: the server still runs" kill -0 "$SERVER_PID"
	try "$name: the server holds no resources of it" \
		resources_wait_equal "$SERVER_PID" "$WORK/server.idle" 10
	try "$name: dextd still runs" kill -0 "$DEXTD_PID"
	try "$name: the device cannot reach memory" device_becomes "$NO_BUS_MASTER"
}

test_deaths() {
	new_disk
	dextd_start "$DISK" "$(logs "deaths")"
	resources_list "$DEXTD_PID" >"$WORK/dextd.idle"
	server_start "$(logs "first job")" --addr "$DEVICE_ADDRESS"
	complete_job "first job"
	check_no_dma_faults "first job"
	try "first job: the server exits cleanly" process_stop "$SERVER_PID"
	check_dextd "first job"
	test_killed_server
	test_killed_vmm
	complete_job "next job, same dextd and server"
	try "deaths: the programs exit cleanly" service_stop
}
