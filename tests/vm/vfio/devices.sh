# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# The device suite and the example drivers, as tests/devices/test-software.sh runs them.

dextd --device "$(device "$NVME")" --device "$(device "$NET")" --device "$(device "$EDU")" \
	--device "$(device "$PULLED")" >/tmp/dextd.log 2>&1 &
# shellcheck disable=SC2034 # for run and deaths.sh
DEXTD=$!
check "$KERNEL: dextd takes four devices" retry_for 20 prints '^01:00.0 ' dextctl list
# With iommufd if the kernel has it, else by group and container.
OPENED=/dev/vfio/vfio
[ ! -c /dev/iommu ] || OPENED=/dev/iommu
check "$KERNEL: opened with $OPENED" sh -c "ls -l /proc/$DEXTD/fd | grep -q '$OPENED\$'"
check "$KERNEL: device suite on the NVMe controller" ./test-device nvme 00:04.0
check "$KERNEL: device suite on the network adapter" ./test-device net 00:05.0
check "$KERNEL: device suite on the edu device, interrupts with dextd stopped" \
	env DEXT_STOP="$DEXTD" ./test-device edu 00:06.0
check "$KERNEL: no memory remains pinned" retry_for 5 nothing_pinned

check "$KERNEL: example edu" ./example-edu 00:06.0
check "$KERNEL: example nvme, identify" prints '^model  *QEMU NVMe Ctrl' ./example-nvme 00:04.0 identify
head -c 16777216 /dev/urandom >/tmp/data
check "$KERNEL: example nvme, 16 MiB written" \
	sh -c './example-nvme 00:04.0 write 0 32768 </tmp/data'
check "$KERNEL: example nvme, read back" \
	sh -c './example-nvme 00:04.0 read 0 32768 >/tmp/back'
check "$KERNEL: example nvme, equal" cmp /tmp/data /tmp/back
