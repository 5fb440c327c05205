# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# Reasons to refuse a device: each has its own error, which names the remedy.

refused "no vfio-pci in the kernel" "modprobe vfio-pci" "$(device "$NVME")"
modprobe vfio-pci
modprobe vfio_iommu_type1
modprobe nvme
nvme_driven() {
	DISK=$(cd "/sys/bus/pci/devices/$NVME/nvme" && ls -d nvme*/nvme*n1) && DISK=${DISK##*/} && [ -e "/dev/$DISK" ]
}
check "$KERNEL: the controller is bound to the NVMe driver" retry_for 20 nvme_driven
nvme_driven
refused "bound to another driver" "bound to nvme, not to vfio-pci: dextctl bind $NVME" "$(device "$NVME")"
refused "no such device" "no PCI device 0000:7f:00.0" "$(device 7f:00.0)"
refused "no address" "expected a PCI address as lspci prints it" "$(device nonsense)"
refused "a bridge" "is a PCI bridge" "$(device 00:01.0)"

# A disk that the host uses is not unbound.
mkswap "/dev/$DISK" >/dev/null && swapon "/dev/$DISK"
check "$KERNEL: bind: refused for a disk in use" \
	prints "in use by the host: $DISK is swap space" dextctl bind "$NVME"
check "$KERNEL: list --host says so" prints "^$NVME .* nvme .*$DISK is swap space" dextctl list --host
swapoff "/dev/$DISK"
check "$KERNEL: bind: refused for a bridge" says "only the devices behind it" dextctl bind 00:01.0
for host in $NVME $NET $EDU $PULLED; do
	check "$KERNEL: bind $host" dextctl bind "$host"
done
check "$KERNEL: list --host: the disk can be taken" \
	prints "^$NVME .* vfio-pci .*bound: dextd can take it" dextctl list --host
check "$KERNEL: unbind: the NVMe driver is bound again" dextctl unbind "$NVME"
check "$KERNEL: unbind: the disk exists again" retry_for 20 nvme_driven
check "$KERNEL: bind again" dextctl bind "$NVME"
refused "noiommu that is not needed" "leave iommu=noiommu out" "vfio,host=$NVME,iommu=noiommu"
