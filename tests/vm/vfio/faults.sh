# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# In the device suite, each device has accessed an address that is not mapped. The kernel logs
# the faults. VFIO does not report them to dextd, and dextctl says so.

# faults DIRECTION DEVICE ADDRESS - whether the kernel has logged this fault, as
# "DMAR: [DMA Write ...] Request device [00:06.0] fault addr ..."
faults() {
	dmesg | grep -q "DMAR: \[DMA $1.* device \[\(0000:\)*00:0$2.0\] fault addr $3"
}

check "$KERNEL: unmapped DMA of the edu device: in the kernel's log" faults Write 6 0x1080000
check "$KERNEL: unmapped DMA of the NVMe controller: in the kernel's log" faults Write 4 0x1400000
check "$KERNEL: unmapped DMA: dextctl says where faults are counted" \
	prints 'faults in the kernel.s log' dextctl info 00:06.0
