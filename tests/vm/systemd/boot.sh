# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# State after the boot with the installed files, and verification of the units.

UNITS=/usr/local/lib/systemd/system

# No output means success. A template is verified as an instance.
verified() {
	local said
	said=$(systemd-analyze verify --man=no $UNITS/dextd.service $UNITS/dextd-vfio@.service \
		$UNITS/dext-vfio-user@.service 2>&1)
	echo "$said"
	[ -z "$said" ]
}

report "note $(systemctl --version | head -n 1)"
check "sysusers: user dextpci" id dextpci
check "sysusers: group kvm" grep -q '^kvm:' /etc/group
check "sysusers: dextpci has no shell" grep -q '^dextpci:.*:/usr/sbin/nologin$' /etc/passwd
check "tmpfiles: the sockets' folder" file_is "$SOCKETS" dextpci:kvm:750
check "verify: no warning about the units" verified
check "dextd: found below /usr/local" is dextd FragmentPath $UNITS/dextd.service
check "server: found below /usr/local" is "$SERVER" FragmentPath \
	$UNITS/dext-vfio-user@.service

check "dextd without dextd.conf: starting is no error" systemctl start dextd
check "dextd without dextd.conf: skipped" is dextd ConditionResult no
check "dextd without dextd.conf: not failed" is dextd ActiveState inactive
