# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# The first start: with the devices of dextd.conf, both services at the same time.

mkdir -p /etc/dextpci
cat >/etc/dextpci/dextd.conf <<-END
	DEXTD_OPTIONS="--device nvme,addr=01:00.0,image=/var/lib/dextpci/disk.img \\
	    --device edu,addr=02:00.0 --device nvme,addr=left/03:00.0,size=1M"
END
# Root creates the image before the first start of the service, which then becomes the
# owner of folder and image.
mkdir -p /var/lib/dextpci
truncate -s 64M /var/lib/dextpci/disk.img

# Both at the same time, as at a boot: the server finds a service that is starting.
check "enable" systemctl enable dextd "$SERVER"
check "start: both, as at a boot" systemctl start multi-user.target
check "start: dextd is active" retry_for 30 is dextd ActiveState active
check "start: the server is active" retry_for 30 is "$SERVER" ActiveState active
check "start: dextd without a restart" is dextd NRestarts 0
check "start: the server without a restart" is "$SERVER" NRestarts 0
check "start: the image is the service's" file_is /var/lib/dextpci/disk.img dextpci:dextpci:644
check "start: its folder is the service's" file_is /var/lib/dextpci dextpci:dextpci:750
systemctl stop dextd "$SERVER"

check "start: dextd only" systemctl start dextd
check "start: dextd serves when it is started" dextctl_as dextpci list
check "start: dextd has a status text" is dextd StatusText "Serving 3 devices."
check "start: dextd runs as dextpci" [ "$(stat -c %U "/proc/$(main_pid dextd)")" = dextpci ]

# While dextd does not answer, the server waits, and systemctl start waits too.
kill -STOP "$(main_pid dextd)"
systemctl start --no-block "$SERVER"
check "server, dextd stopped: its process runs" retry_for 30 not is "$SERVER" MainPID 0
sleep 1
check "server, dextd stopped: not active yet" is "$SERVER" ActiveState activating
check "server, dextd stopped: no socket yet" not test -e "$SOCKETS/vfio-user-01:00.0.sock"
kill -CONT "$(main_pid dextd)"
check "server, dextd continued: active" retry_for 30 is "$SERVER" ActiveState active
check "server: its socket exists" test -S "$SOCKETS/vfio-user-01:00.0.sock"
check "server: it runs as dextpci" [ "$(stat -c %U "/proc/$(main_pid "$SERVER")")" = dextpci ]
check "server: status text" is "$SERVER" StatusText "Serving 1 device."
