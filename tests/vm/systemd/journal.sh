# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# Messages of systemd about the units during all tests, with warnings about unknown or
# invalid settings.

WARNINGS='unknown|ignor|deprecated|obsolete|legacy|not supported|unsupported|invalid|timed out'

warnings() {
	journalctl --quiet --no-pager -o cat _PID=1 + SYSLOG_IDENTIFIER=systemd-sysusers \
		+ SYSLOG_IDENTIFIER=systemd-tmpfiles |
		grep -E 'dext(d|pci|-vfio-user)' |
		grep -iE "$WARNINGS"
}

journalctl --sync
check "journal: systemd has logged about the units" journal dextd "Driver service for PCI devices"
check "journal: no warning about the units" not warnings
