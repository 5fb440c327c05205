# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A guest with 3 GiB, of which a third is above 4 GiB: that is where its kernel takes
# the pages of files from first. (Other guests have 512 MiB.)

# region_above - whether memory at or above 4 GiB is registered for the device
region_above() {
	driver_says dma 'any(int(str(region["iova"]), 0) >= 1 << 32 and region["size"] >= 512 << 20
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
	guest_follow "$dir" "$LIMIT" memory_registered
	progress_end
	try "$name: memory above 4 GiB is registered for the device" region_above
	if guest_ends "$name" "$dir"; then
		read -r bytes begin < <(guest_value "$dir" above)
		try "$name: files are in memory above 4 GiB ($(mebibytes "$bytes"))" \
			test "$begin" -ge $((1 << 32)) -a "$bytes" -ge "$ORIGINALS_BYTES"
		kernel_log_clean "$name" "$dir"
	fi
	dma_clean "$name"
	image_holds "$name" "$DISK" files
	try "$name: the programs exit cleanly" service_stop
}

# When its driver uses the device.
memory_registered() {
	[[ -n $(guest_value "$1" disk) ]] || guest_gone
}
