# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A machine is rebooted three times under the same VMM and server: by its reset button
# while the device works, by an orderly reboot, and by kexec. guest/reboot is the
# guest's part.

# Make a disk with the kernel and the initramfs for kexec, the same that QEMU boots.
kernel_image() {
	local root=$WORK/kernel
	mkdir -p "$root" &&
		cp "$GUEST_TREE/boot/vmlinuz-$GUEST_KERNEL_RELEASE" "$root/vmlinuz" &&
		cp "$INITRAMFS" "$root/initramfs" &&
		truncate -s 64M "$WORK/kernel.img" &&
		mke2fs -q -t ext4 -O ^has_journal -E nodiscard -d "$root" "$WORK/kernel.img" &&
		rm -rf "$root"
}

test_reboot() {
	# shellcheck disable=SC2034 # for machine_command()
	local name="reboot" dir RESET_ACTION=reset
	dir=$(logs "reboot")
	new_disk
	step "Making a disk image with the kernel" kernel_image || {
		check "$name: a disk with the kernel" 1
		return
	}
	service_start "$MODE" "$DISK" "$dir"
	job_machine dextpci.job=reboot
	machine_disk "$ORIGINALS/originals.img"
	machine_disk "$WORK/kernel.img"
	guest_start "$dir"
	if guest_finishes "$name" "$dir"; then
		try "$name: four boots, by reset, reboot and kexec" guest_reported "$dir" boot 4
		check_kernel_log "$name" "$dir"
	fi
	check_no_dma_faults "$name"
	try "$name: dextd and the server still run" service_running
	image_check_files "$name" "$DISK" boot-1 boot-2 boot-3 boot-4
	try "$name: the programs exit cleanly" service_stop
	rm -f "$WORK/kernel.img"
}
