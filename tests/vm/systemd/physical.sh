# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# A physical device, from the view of this guest: the unit binds it to vfio-pci, a udev rule gives
# the service access to its IOMMU group, and the unprivileged service opens it.

PHYSICAL=0000:00:06.0
DRIVER=dextd-vfio@$PHYSICAL.service
GUEST=dext-vfio-user@00:06.0.service
GROUP=$(basename "$(readlink /sys/bus/pci/devices/$PHYSICAL/iommu_group)")
WRONG=dextd-vfio@0000:7f:00.0.service

# bound_to DRIVER
bound_to() {
	[ "$(basename "$(readlink /sys/bus/pci/devices/$PHYSICAL/driver)")" = "$1" ]
}

# as_client USER COMMAND... - with the socket of the device's service
as_client() {
	local user="$1"
	shift
	DEXT_SOCKET=$SOCKETS/dextd-$PHYSICAL.sock LD_LIBRARY_PATH=$(echo /usr/local/lib/*-linux-gnu) \
		as "$user" "$@"
}

check "physical: systemd-escape does not change the address" \
	[ "$(systemd-escape $PHYSICAL)" = $PHYSICAL ]
check "physical: not bound to vfio-pci" not bound_to vfio-pci
check "physical: started" systemctl start "$DRIVER"
check "physical: without a restart" is "$DRIVER" NRestarts 0
check "physical: bound to vfio-pci" bound_to vfio-pci
check "physical: its group belongs to the service" file_is "/dev/vfio/$GROUP" root:dextpci:660
check "physical: it serves" is "$DRIVER" StatusText "Serving 1 device."
check "physical: it runs as dextpci" [ "$(stat -c %U "/proc/$(main_pid "$DRIVER")")" = dextpci ]
check "physical: memory is pinned without a limit" \
	grep -q '^Max locked memory *unlimited *unlimited ' "/proc/$(main_pid "$DRIVER")/limits"
confined "$DRIVER"
check "physical: BARs, DMA and interrupts work" as_client dextpci ./example-edu 00:06.0
check "physical: a stranger is not served" says "ermission denied" as_client stranger dextctl list

mkdir -p "/etc/systemd/system/$GUEST.d"
printf '[Service]\nEnvironment=DEXT_SOCKET=%s\n' "$SOCKETS/dextd-$PHYSICAL.sock" \
	>"/etc/systemd/system/$GUEST.d/driver.conf"
systemctl daemon-reload
check "physical: a server for a virtual machine" systemctl start "$GUEST"
check "physical: the monitor can use it" prints '^1234:11e8, ' look monitor 00:06.0
check "physical: the server is stopped" systemctl stop "$GUEST"

check "physical: stopped" systemctl stop "$DRIVER"
check "physical: result success" is "$DRIVER" Result success
check "physical: still bound to vfio-pci" bound_to vfio-pci
check "physical: started again" systemctl start "$DRIVER"
systemctl stop "$DRIVER"
check "physical: dextctl unbind" dextctl unbind $PHYSICAL
check "physical: not bound to vfio-pci again" not bound_to vfio-pci

check "physical: no such device: starting fails" not systemctl start $WRONG
check "physical: no such device: the log has the reason" journal $WRONG "0000:7f:00.0: no such device on this host"
systemctl stop $WRONG
