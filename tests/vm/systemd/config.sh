# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# Several devices in one process: a drop-in for one instance, as an administrator writes it.

mkdir -p /etc/systemd/system/dext-vfio-user@all.service.d
cat >/etc/systemd/system/dext-vfio-user@all.service.d/config.conf <<-END
	[Service]
	ExecStart=
	ExecStart=/usr/local/bin/dext-vfio-user --driver $SOCKETS/dextd.sock --config /etc/dextpci/vms
END
cat >/etc/dextpci/vms <<-END
	--socket $SOCKETS/vfio-user-01:00.0.sock --addr 01:00.0
	--socket $SOCKETS/vfio-user-02:00.0.sock --addr 02:00.0
END
check "config: the previous instance is stopped" systemctl stop "$SERVER"
check "config: systemd reads the drop-in" systemctl daemon-reload
check "config: started" systemctl start dext-vfio-user@all
check "config: it serves both" is dext-vfio-user@all StatusText "Serving 2 devices."
check "config: the disk" prints '^4e58:0001, ' look monitor 01:00.0
check "config: the other device" prints '^1234:11e8, ' look monitor 02:00.0
check "config: a stranger is not served" says "Permission denied" look stranger 02:00.0
check "config: stopped" systemctl stop dext-vfio-user@all
check "config: result success" is dext-vfio-user@all Result success
check "config: no socket is left" not ls "$SOCKETS"/vfio-user-*
check "config: the previous instance is started" systemctl start "$SERVER"
check "config: the previous instance serves" look
