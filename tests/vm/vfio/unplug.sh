# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# QEMU unplugs a controller while a client writes to it: the client gets an error, dextd closes
# the device, and serves the others.

# Write until a write fails because of the unplug.
writes_until_failure() {
	while ./example-nvme 01:00.0 write 0 131072 </dev/zero; do :; done
}

device_gone() {
	[ ! -e "/sys/bus/pci/devices/$PULLED" ]
}

# Whether the kernel has removed the device. If not, print log lines, and kill the writer.
removed() {
	retry_for 100 device_gone && return
	dmesg | grep -i 'pciehp\|vfio' | tail -n 3
	tail -n 2 /tmp/dextd.log
	# The functions of the kernel in which the threads of both programs sleep.
	for task in "/proc/$DEXTD"/task/* "/proc/$(pidof example-nvme)"/task/*; do
		echo "$(cat "$task/comm"): $(cat "$task/wchan"), call $(cat "$task/syscall")"
	done >/dev/console 2>&1
	kill "$writer"
	killall -9 example-nvme
	return 1
}

# The client gets one of three errors: of a call, of a mapped BAR, or when it opens the device.
says_gone() {
	tail -n 1 /tmp/unplug.log | grep 'it was removed\|error 0xe00002d7\|no device 01:00.0 among' && return
	cat /tmp/unplug.log
	return 1
}

writes_until_failure >/tmp/unplug.log 2>&1 &
writer=$!
check "$KERNEL: unplug: the client writes" retry_for 20 something_pinned 100
report "unplug now"
check "$KERNEL: unplug: the kernel has removed the device" removed
wait $writer
check "$KERNEL: unplug: the client exits with an error that says so" says_gone
check "$KERNEL: unplug: dextd logs it" grep -q "$PULLED: the host takes the device back" /tmp/dextd.log
check "$KERNEL: unplug: dextctl does not list it" retry_for 5 not prints '^01:00.0' dextctl list
check "$KERNEL: unplug: no memory remains pinned" retry_for 5 nothing_pinned
check "$KERNEL: unplug: the other devices are served" ./example-edu 00:06.0
