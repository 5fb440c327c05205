# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Two devices of one driver service, served by one server on two sockets, in one
# machine, which maps the registers of the first. guest/devices is the guest's part.

devices_start() {
	local dir=$1 socket
	DEXTD_LOG=$dir/dextd.log
	start "$DEXTD_LOG" "$BUILD/tools/dextd" --socket "$WORK/dextd.sock" \
		--device "nvme,addr=01:00.0,image=$WORK/first.img,serial=first" \
		--device "nvme,addr=02:00.0,image=$WORK/second.img,serial=second,block=4096"
	DEXTD_PID=$STARTED
	socket_wait "$WORK/dextd.sock" "$DEXTD_PID" 20 || {
		show_tail "$DEXTD_LOG"
		die "dextd does not serve its socket"
	}
	cat >"$WORK/devices.conf" <<-END
		# a line for each
		--socket $WORK/first.sock --addr 01:00.0 --bar-access shared
		--socket $WORK/second.sock --addr 02:00.0
	END
	SERVER_LOG=$dir/dext-vfio-user.log
	start "$SERVER_LOG" "$BUILD/tools/dext-vfio-user" --config "$WORK/devices.conf" \
		--driver "$WORK/dextd.sock"
	SERVER_PID=$STARTED
	for socket in first second; do
		socket_wait "$WORK/$socket.sock" "$SERVER_PID" 20 || {
			show_tail "$SERVER_LOG"
			die "dext-vfio-user does not serve its sockets"
		}
	done
}

devices_found() {
	guest_reported "$1" serials "" || guest_gone
}

test_devices() {
	local name="two devices" dir
	dir=$(logs "devices")
	truncate -s "$IMAGE_NEW_SIZE" "$WORK/first.img" "$WORK/second.img"
	devices_start "$dir"
	machine_command dextpci.job=devices
	machine_passthrough "$WORK/first.sock" '"addr":"10"'
	machine_passthrough "$WORK/second.sock" '"addr":"11"'
	machine_disk "$ORIGINALS/originals.img"
	guest_start "$dir"
	guest_follow "$dir" "$LIMIT" devices_found
	progress_end
	try "$name: the VMM has mapped the registers of the first only" \
		test "$(grep -c dext-bar "/proc/$GUEST_PID/maps")" -eq 1
	if guest_ends "$name" "$dir"; then
		try "$name: all files twice" \
			test "$(guest_value "$dir" checked)" -eq $((2 * ORIGINALS_COUNT))
		kernel_log_clean "$name" "$dir"
	fi
	image_holds "$name: first" "$WORK/first.img" first
	image_holds "$name: second" "$WORK/second.img" second
	dma_clean "$name: first" 01:00.0
	dma_clean "$name: second" 02:00.0
	try "$name: the programs exit cleanly" service_stop
	rm -f "$WORK/first.img" "$WORK/second.img"
}
