/* SPDX-License-Identifier: BSD-3-Clause */
/* Resets. The kernel saves and restores config space around them. */
#include "common/pci-regs.h"
#include "provider/vfio/vfio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static kern_return_t result_of(int code)
{
	switch (code) {
	case EAGAIN:
	case EBUSY:
		return kIOReturnBusy; /* another device on the bus is in use */
	case ENOTTY:
	case EINVAL:
	case ENODEV:
	case EPERM:
		return kIOReturnUnsupported;
	case ETIMEDOUT:
		return kIOReturnTimeout;
	default:
		return kIOReturnIOError;
	}
}

/* Reset this function by the kernel's method: FLR, AF FLR or a power cycle. */
static kern_return_t reset_function(struct vfio_device *device)
{
	if (!(device->info.flags & VFIO_DEVICE_FLAGS_RESET))
		return kIOReturnUnsupported;
	if (ioctl(device->fd, VFIO_DEVICE_RESET) == 0)
		return kIOReturnSuccess;
	vfio_log(device, "function reset failed (%s)", strerror(errno));
	return result_of(errno);
}

/* The bus, or the slot: the kernel refuses unless this program owns every device on it. */
static kern_return_t reset_bus(struct vfio_device *device)
{
	struct vfio_pci_hot_reset *reset;
	bool by_group = device->group >= 0;
	size_t size = sizeof(*reset) + (by_group ? sizeof(int32_t) : 0);
	int code = 0;

	reset = calloc(1, size);
	if (!reset)
		return kIOReturnNoMemory;
	reset->argsz = (uint32_t)size;
	/* With iommufd no group is named: the owner of the address space owns the devices. */
	reset->count = by_group;
	if (by_group)
		reset->group_fds[0] = device->group;
	if (ioctl(device->fd, VFIO_DEVICE_PCI_HOT_RESET, reset) != 0)
		code = errno;
	free(reset);
	return code ? result_of(code) : kIOReturnSuccess;
}

kern_return_t vfio_reset(struct pci_provider *provider, enum pci_reset kind)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	kern_return_t status;

	pthread_rwlock_rdlock(&device->access);
	if (device->removed)
		status = kIOReturnOffline;
	else if (kind == PCI_RESET_FUNCTION)
		status = reset_function(device);
	else if (kind == PCI_RESET_HOT)
		status = reset_bus(device);
	else
		status = kIOReturnUnsupported; /* the kernel's function reset includes it */
	pthread_rwlock_unlock(&device->access);
	return status;
}
