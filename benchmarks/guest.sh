# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# ./bench --guest: three NVMe disks in one virtual machine, with equal images: QEMU's, dextpci's
# with default options, and dextpci's with BARs that QEMU maps. guest/disks measures them in the
# guest, guest.c prints the results. Needs vm.sh.

GUEST_DISK_SIZE=64	# MiB; images are small enough for the page cache
GUEST_DISKS=(qemu default shared)	# their images and serial numbers

# The images have random data, because some file systems read holes faster.
guest_images() {
	local name
	head -c "${GUEST_DISK_SIZE}M" /dev/urandom >"$WORK/${GUEST_DISKS[0]}.img" || return 1
	for name in "${GUEST_DISKS[@]:1}"; do
		cp --reflink=never "$WORK/${GUEST_DISKS[0]}.img" "$WORK/$name.img" || return 1
	done
	sync
}

# guest_serve DIR - serve dextpci's devices on $WORK/default.sock and $WORK/shared.sock
guest_serve() {
	local name
	process_start "$1/dextd.log" "$BUILD/tools/dextd" --socket "$WORK/dextd.sock" \
		--device "nvme,addr=01:00.0,image=$WORK/default.img,serial=default" \
		--device "nvme,addr=02:00.0,image=$WORK/shared.img,serial=shared"
	socket_wait "$WORK/dextd.sock" "$PROCESS_PID" 20 || guest_failed "$1" "dextd does not serve"
	cat >"$WORK/devices.conf" <<-END
		--socket $WORK/default.sock --addr 01:00.0
		--socket $WORK/shared.sock --addr 02:00.0 --bar-access shared
	END
	process_start "$1/dext-vfio-user.log" "$BUILD/tools/dext-vfio-user" \
		--config "$WORK/devices.conf" --driver "$WORK/dextd.sock"
	for name in default shared; do
		socket_wait "$WORK/$name.sock" "$PROCESS_PID" 20 ||
			guest_failed "$1" "dext-vfio-user does not serve"
	done
}

# guest_failed DIR REASON
guest_failed() {
	local log
	for log in "$1"/*.log; do
		show_tail "$log"
	done
	die "the guest's disks were not measured: $2"
}

# guest_measure BUILD - boot, measure, report
guest_measure() {
	local dir=$WORK/files
	BUILD=$1
	INITRAMFS_JOBS=$WORK/jobs
	mkdir -p "$INITRAMFS_JOBS/bin"
	cp "$ROOT/benchmarks/guest/disks" "$INITRAMFS_JOBS/"
	cp "$BUILD/benchmarks/dextpci-guest-disks" "$INITRAMFS_JOBS/bin/"
	job_prepare
	step "Making images" guest_images || exit 1
	guest_serve "$dir"
	machine_command dextpci.job=disks
	machine_qemu_nvme "$WORK/qemu.img" qemu
	machine_passthrough "$WORK/default.sock" '"addr":"11"'
	machine_passthrough "$WORK/shared.sock" '"addr":"12"'
	guest_start "$dir"
	guest_wait "$dir" "$STEP_TIMEOUT" || guest_failed "$dir" "$GUEST_FAILURE"
	"$BUILD/benchmarks/dextpci-bench" --guest "$dir/report.log" "${ARGUMENTS[@]}"
}
