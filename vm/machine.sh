# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The virtual machine's command line. Needs vmm.sh and kernel.sh.

RESET_ACTION=shutdown	# what the VMM does when the guest resets the machine; or "reset"

# machine_command - set MACHINE to the VMM's command
#
# Uses MEMORY (as QEMU writes it, "512M"), CPUS, INITRAMFS, and adds the arguments
# to the kernel's command line. Guest memory is shareable: the device reaches it
# from another process. Without a source of randomness programs in the guest wait for it. On a
# busy machine the kernel's test whether timer interrupts arrive in time would fail.
machine_command() {
	MACHINE=("${VMM[@]}" -nodefaults -action "reboot=$RESET_ACTION" -display none
		-accel "tcg,thread=multi" -cpu "qemu64,+rdrand" -smp "$CPUS" -m "$MEMORY"
		-M "q35,memory-backend=ram"
		-object "memory-backend-memfd,id=ram,size=$MEMORY,share=on"
		-kernel "$GUEST_IMAGE" -initrd "$INITRAMFS"
		-append "console=ttyS0 quiet panic=-1 no_timer_check $*")
}

# machine_serial CONSOLE REPORT LOG - where the three serial ports go
#
# CONSOLE "-" is this terminal.
machine_serial() {
	if [[ $1 == - ]]; then
		MACHINE+=(-serial mon:stdio)
	else
		MACHINE+=(-serial "file:$1")
	fi
	MACHINE+=(-serial "file:$2" -serial "file:$3")
}

# machine_iommu - an IOMMU (VT-d), which the kernel uses with intel_iommu=on
machine_iommu() {
	# shellcheck disable=SC2054 # commas of the VMM's
	MACHINE+=(-M "kernel-irqchip=off" -device "intel-iommu,intremap=on,caching-mode=on")
}

# machine_disk IMAGE - a read-only virtio disk; the guest's first is /dev/vda
machine_disk() {
	MACHINE+=(-drive "if=virtio,format=raw,read-only=on,file=$1")
}

# machine_passthrough SOCKET [PLACE] - a passed-through device
#
# PLACE are members of the device's JSON; without it, it is at 00:10.0 in the guest.
machine_passthrough() {
	MACHINE+=(-device "$(machine_passthrough_json "$@")")
}

machine_passthrough_json() {
	printf '{"driver":"vfio-user-pci",%s,"socket":{"path":"%s","type":"unix"}}' \
		"${2:-\"addr\":\"10\"}" "$1"
}

# machine_reference IMAGE [SERIAL] - in its place a disk that the VMM emulates itself
machine_reference() {
	MACHINE+=(-blockdev "driver=file,node-name=file1,filename=$1"
		-blockdev "driver=raw,node-name=disk1,file=file1"
		-device "nvme,drive=disk1,serial=${2:-reference},addr=10")
}
