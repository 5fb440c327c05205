# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# The VMM unplugs a controller while a client writes to it: the client is told, dextd closes
# the device, and serves the others.

# Until it fails, which nothing but the unplug brings about.
writes_until_failure() {
	while ./example-nvme 01:00.0 write 0 131072 </dev/zero; do :; done
}

device_gone() {
	[ ! -e "/sys/bus/pci/devices/$PULLED" ]
}

# By a call that is refused, by a mapped BAR that has gone, or when it looks for the device.
says_gone() {
	tail -n 1 /tmp/unplug.log | grep 'it was removed\|error 0xe00002d7\|no such device' && return
	cat /tmp/unplug.log
	return 1
}

writes_until_failure >/tmp/unplug.log 2>&1 &
writer=$!
check "$KERNEL: unplug: the controller is at work" settles 20 something_pinned 100
report "unplug now"
check "$KERNEL: unplug: the kernel has removed the device" settles 60 device_gone
wait $writer
check "$KERNEL: unplug: the client ends, and says why" says_gone
check "$KERNEL: unplug: dextd says what has happened" grep -q "$PULLED: the host takes the device back" /tmp/dextd.log
check "$KERNEL: unplug: it is listed no longer" settles 5 no prints '^01:00.0' dextctl list
check "$KERNEL: unplug: nothing stays pinned" settles 5 nothing_pinned
check "$KERNEL: unplug: the other devices are served" ./example-edu 00:06.0
