# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# Access to the sockets: "monitor" is a member of kvm, "stranger" of no group.

check "access: the monitor is a member of kvm" sh -c 'id -nG monitor | grep -qw kvm'
check "access: dextd's socket" file_is "$SOCKETS"/dextd.sock dextpci:dextpci:600
check "access: the server's socket" file_is "$SOCKETS/vfio-user-01:00.0.sock" dextpci:kvm:770

check "access: dextpci gets a list of the devices" prints '^02:00.0 ' dextctl_as dextpci list
check "access: dextpci gets info of the disk" prints 'NVM' dextctl_as dextpci info 01:00.0
check "access: the monitor cannot connect to dextd" \
	says "Permission denied" dextctl_as monitor list
check "access: a stranger cannot connect to dextd" says "Permission denied" dextctl_as stranger list

check "access: the monitor can use the disk" \
	prints '^4e58:0001, 9 regions, 5 interrupt kinds, ' look monitor
check "access: the disk is claimed" prints '^01:00.0 .* (claimed|exclusive) ' \
	dextctl_as dextpci list
check "access: a stranger cannot connect to the server" says "Permission denied" look stranger

check "access: an address under a PCI root" systemctl start dext-vfio-user@left-03:00.0
check "access: its socket has that name" prints '^4e58:0001, ' look monitor left-03:00.0
check "access: it can be stopped" systemctl stop dext-vfio-user@left-03:00.0
