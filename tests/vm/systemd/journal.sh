# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# What systemd said of the units in all this time: it complains where it does not know or
# like what they say.

COMPLAINTS='unknown|ignor|deprecated|obsolete|legacy|not supported|unsupported|invalid|timed out'

complaints() {
	journalctl --quiet --no-pager -o cat _PID=1 + SYSLOG_IDENTIFIER=systemd-sysusers \
		+ SYSLOG_IDENTIFIER=systemd-tmpfiles |
		grep -E 'dext(d|pci|-vfio-user)' |
		grep -iE "$COMPLAINTS"
}

journalctl --sync
check "journal: systemd has spoken of the units" journal dextd "Driver service for PCI devices"
check "journal: no complaint about the units" no complaints
