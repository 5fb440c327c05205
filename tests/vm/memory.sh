# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A guest with 3 GiB, a third of it above 4 GiB, where its kernel allocates pages of files
# first. (Other guests have 512 MiB.)

# has_region_above_4g - whether memory at or above 4 GiB is registered for the device
has_region_above_4g() {
	dextctl_says dma 'any(int(str(region["iova"]), 0) >= 1 << 32 and region["size"] >= 512 << 20
		for region in device["regions"])'
}

test_memory() {
	# shellcheck disable=SC2034 # for machine_command()
	local name="3 GiB" dir bytes begin MEMORY=3G
	dir=$(logs "memory")
	new_disk
	service_start "$MODE" "$DISK" "$dir"
	job_machine dextpci.job=run,memory dextpci.format=yes dextpci.directory=files
	machine_disk "$ORIGINALS/originals.img"
	guest_start "$dir"
	guest_wait_for "$dir" "$STEP_TIMEOUT" driver_started
	progress_end
	try "$name: memory above 4 GiB is registered for the device" has_region_above_4g
	if guest_finishes "$name" "$dir"; then
		read -r bytes begin < <(guest_value "$dir" above)
		try "$name: files are in memory above 4 GiB ($(mebibytes "$bytes"))" \
			test "$begin" -ge $((1 << 32)) -a "$bytes" -ge "$ORIGINALS_BYTES"
		check_kernel_log "$name" "$dir"
	fi
	check_no_dma_faults "$name"
	image_check_files "$name" "$DISK" files
	try "$name: the programs exit cleanly" service_stop
}

# Whether the guest's driver uses the device.
driver_started() {
	[[ -n $(guest_value "$1" disk) ]] || guest_exited
}
