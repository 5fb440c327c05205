# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The host removes the device from a running machine: unplugged and plugged in by the
# VMM, while idle and while the guest writes; finally removed from the driver service.
# guest/hotplug is the guest's part.
#
# The device has MSI, because QEMU 11.1 aborts when a vfio-user device with MSI-X is unplugged,
# with any server: it removes the memory region of the pending bits from a BAR that no longer
# contains it. QEMU does not enable the request interrupt either: it does not unplug a device that
# is removed from the driver service, and the guest detects this by failing accesses.

monitor() {
	python3 "$HERE/qmp.py" "$WORK/qmp.sock" "$@"
}

# The device is behind a hot-pluggable port.
hotplug_machine() {
	# A command times out after 5 s, not 30 s.
	machine_command dextpci.job=hotplug dextpci.directory=files nvme_core.io_timeout=5
	VM_COMMAND+=(-device "pcie-root-port,id=plug0,chassis=1,slot=1,addr=10"
		-qmp "unix:$WORK/qmp.sock,server=on,wait=off")
	machine_passthrough "$WORK/vfio-user.sock" "$HOTPLUG_BUS"
	machine_disk "$ORIGINALS/originals.img"
}
HOTPLUG_BUS='"bus":"plug0","id":"disk"'

# Kernel messages about failed writes to the removed disk.
HOTPLUG_ALLOWED='^EXT4-fs|JBD2|^Buffer I/O error|I/O error, dev nvme|^nvme nvme0: |^nvme0n1: detected capacity'
HOTPLUG_ALLOWED+='|^Aborting journal|enabling device|Unable to change power state from D3cold'

# hotplug_wait_step DIR STEP - wait until the guest has begun a step
hotplug_wait_step() {
	HOTPLUG_STEP=$2
	guest_wait_for "$1" "$STEP_TIMEOUT" hotplug_step_begun && ! guest_exited
}

hotplug_step_begun() {
	guest_reported "$1" step "$HOTPLUG_STEP\$" || guest_exited
}

# The guest has released the device, and the VMM has disconnected.
unplug() {
	monitor device_del '{"id":"disk"}' DEVICE_DELETED >/dev/null
}

plug() {
	monitor device_add "$(machine_passthrough_json "$WORK/vfio-user.sock" "$HOTPLUG_BUS")" >/dev/null
}

# unplugged NAME WHEN - check that an unplugged device leaves no resources
unplugged() {
	try "$1: unplugged, $2" unplug
	try "$1: $2: the server holds no resources of the machine" \
		resources_wait_equal "$SERVER_PID" "$WORK/server.idle" 10
	try "$1: $2: the device cannot reach memory" device_becomes "$NO_BUS_MASTER"
	try "$1: $2: no memory is registered" dextctl_says dma 'device["regions"] == []'
}

# hotplug_steps NAME DIR - the steps of the host
hotplug_steps() {
	local name=$1 dir=$2
	hotplug_wait_step "$dir" unplug || return 1
	unplugged "$name" "idle"
	hotplug_wait_step "$dir" plug || return 1
	try "$name: plugged in again" plug
	hotplug_wait_step "$dir" unplug-busy || return 1
	sleep 1
	unplugged "$name" "busy"
	hotplug_wait_step "$dir" plug-again || return 1
	try "$name: plugged in once more" plug
	hotplug_wait_step "$dir" pull || return 1
	sleep 1
	try "$name: removed from the driver service" \
		"$BUILD/tools/dextctl" --socket "$WORK/dextd.sock" remove "$DEVICE_ADDRESS"
	hotplug_wait_step "$dir" unplug-lost || return 1
	try "$name: the removed device is unplugged" unplug
	# The resources of the device, which the server had at the start, are released too.
	try "$name: the removed device is unplugged: the server holds no resources of the machine" \
		resources_wait_released "$SERVER_PID" "$WORK/server.idle" 10
}

test_hotplug() {
	local name="hotplug" dir
	dir=$(logs "hotplug")
	new_disk
	service_start "$MODE" "$DISK" "$dir" irq=msi
	resources_list "$SERVER_PID" >"$WORK/server.idle"
	hotplug_machine
	guest_start "$dir"
	hotplug_steps "$name" "$dir"
	if guest_finishes "$name" "$dir"; then
		check_kernel_log "$name" "$dir" "$HOTPLUG_ALLOWED"
	fi
	try "$name: dextd and the server still run" service_running
	try_quiet "$name: the file system is repaired by its journal" e2fsck -p "$(realpath "$DISK")"
	image_check_files "$name" "$DISK" files
	try "$name: the programs exit cleanly" service_stop
}
