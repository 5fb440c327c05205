# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The command line of QEMU. Needs vmm.sh and kernel.sh.

RESET_ACTION=shutdown	# of QEMU when the guest resets the machine; or "reset"

# machine_command [WORD...] - set VM_COMMAND to the command that starts QEMU
#
# Uses MEMORY (in QEMU's format, "512M"), CPUS and INITRAMFS. WORDs are added to the kernel's
# command line. Guest memory is shared (share=on), because the device accesses it from
# another process. Without rdrand, programs in the guest wait for random numbers.
# no_timer_check skips a test that fails when timer interrupts are late on a busy host.
machine_command() {
	VM_COMMAND=("${VMM[@]}" -nodefaults -action "reboot=$RESET_ACTION" -display none
		-accel "tcg,thread=multi" -cpu "qemu64,+rdrand" -smp "$CPUS" -m "$MEMORY"
		-M "q35,memory-backend=ram"
		-object "memory-backend-memfd,id=ram,size=$MEMORY,share=on"
		-kernel "$GUEST_KERNEL_IMAGE" -initrd "$INITRAMFS"
		-append "console=ttyS0 quiet panic=-1 no_timer_check $*")
}

# machine_serial CONSOLE REPORT LOG - add the three serial ports, which write to these files
#
# If CONSOLE is "-", the first one is connected to the terminal.
machine_serial() {
	if [[ $1 == - ]]; then
		VM_COMMAND+=(-serial mon:stdio)
	else
		VM_COMMAND+=(-serial "file:$1")
	fi
	VM_COMMAND+=(-serial "file:$2" -serial "file:$3")
}

# machine_iommu - add an IOMMU (VT-d), which the guest's kernel uses with intel_iommu=on
machine_iommu() {
	# shellcheck disable=SC2054 # commas inside of QEMU's options
	VM_COMMAND+=(-M "kernel-irqchip=off" -device "intel-iommu,intremap=on,caching-mode=on")
}

# machine_disk IMAGE - add a read-only virtio disk; the first one is /dev/vda in the guest
machine_disk() {
	VM_COMMAND+=(-drive "if=virtio,format=raw,read-only=on,file=$1")
}

# machine_passthrough SOCKET [PROPERTIES] - add the device that is served on SOCKET
#
# PROPERTIES are members of the JSON object of QEMU's -device. Without them, the device is
# at 00:10.0 in the guest.
machine_passthrough() {
	VM_COMMAND+=(-device "$(machine_passthrough_json "$@")")
}

machine_passthrough_json() {
	printf '{"driver":"vfio-user-pci",%s,"socket":{"path":"%s","type":"unix"}}' \
		"${2:-\"addr\":\"10\"}" "$1"
}

# machine_qemu_nvme IMAGE [SERIAL] - add QEMU's emulated NVMe disk, also at 00:10.0
machine_qemu_nvme() {
	VM_COMMAND+=(-blockdev "driver=file,node-name=file1,filename=$1"
		-blockdev "driver=raw,node-name=disk1,file=file1"
		-device "nvme,drive=disk1,serial=${2:-reference},addr=10")
}
