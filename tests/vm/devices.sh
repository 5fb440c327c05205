# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Two devices of one driver service, served by one server on two sockets, in one
# machine, which maps the registers of the first. The second has no shadow doorbells, its session
# does not poll, and the server does not use the call channel. guest/devices is the guest's part.

DEVICES_BAR_ACCESS=shared	# of the first device

devices_start() {
	local dir=$1 socket driver=()
	DEXTD_LOG=$dir/dextd.log
	process_start "$DEXTD_LOG" "$BUILD/tools/dextd" --socket "$WORK/dextd.sock" \
		--device "nvme,addr=01:00.0,image=$WORK/first.img,serial=first" \
		--device "nvme,addr=02:00.0,image=$WORK/second.img,serial=second,block=4096,dbbuf=off"
	DEXTD_PID=$PROCESS_PID
	socket_wait "$WORK/dextd.sock" "$DEXTD_PID" 20 || {
		show_tail "$DEXTD_LOG"
		die "dextd does not serve its socket"
	}
	cat >"$WORK/devices.conf" <<-END
		# a line for each
		--socket $WORK/first.sock --addr 01:00.0 --bar-access $DEVICES_BAR_ACCESS
		--socket $WORK/second.sock --addr 02:00.0 --poll-us 0
	END
	SERVER_LOG=$dir/dext-vfio-user.log
	# A server built for macOS finds the driver without --driver.
	[[ -n $SERVER_PROGRAM ]] || driver=(--driver "$WORK/dextd.sock")
	process_start "$SERVER_LOG" env DEXT_SOCKET="$WORK/dextd.sock" IOKIT_USER_CHANNEL=off \
		"${SERVER_PROGRAM:-$BUILD/tools/dext-vfio-user}" --config "$WORK/devices.conf" \
		"${driver[@]}"
	SERVER_PID=$PROCESS_PID
	for socket in first second; do
		socket_wait "$WORK/$socket.sock" "$SERVER_PID" 20 || {
			show_tail "$SERVER_LOG"
			die "dext-vfio-user does not serve its sockets"
		}
	done
}

devices_reported() {
	guest_reported "$1" serials "" || guest_exited
}

test_devices() {
	local name="two devices" dir mapped
	dir=$(logs "devices")
	truncate -s "$IMAGE_NEW_SIZE" "$WORK/first.img" "$WORK/second.img"
	devices_start "$dir"
	machine_command dextpci.job=devices
	machine_passthrough "$WORK/first.sock" '"addr":"10"'
	machine_passthrough "$WORK/second.sock" '"addr":"11"'
	machine_disk "$ORIGINALS/originals.img"
	guest_start "$dir"
	guest_wait_for "$dir" "$STEP_TIMEOUT" devices_reported
	progress_end
	mapped=$(grep -c dext-bar "/proc/$GUEST_PID/maps")
	if [[ $DEVICES_BAR_ACCESS == shared ]]; then
		try "$name: the VMM has mapped the registers of the first only" test "$mapped" -eq 1
	else
		try "$name: the VMM has mapped no registers" test "$mapped" -eq 0
	fi
	if guest_finishes "$name" "$dir"; then
		try "$name: all files twice" \
			test "$(guest_value "$dir" checked)" -eq $((2 * ORIGINALS_COUNT))
		check_kernel_log "$name" "$dir"
	fi
	image_check_files "$name: first" "$WORK/first.img" first
	image_check_files "$name: second" "$WORK/second.img" second
	check_no_dma_faults "$name: first" 01:00.0
	check_no_dma_faults "$name: second" 02:00.0
	try "$name: the programs exit cleanly" service_stop
	rm -f "$WORK/first.img" "$WORK/second.img"
}
