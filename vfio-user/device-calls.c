/* SPDX-License-Identifier: BSD-3-Clause */
/* What is asked of a device as a whole, and what its answers say about its presence. */
#include "vfio-user/device.h"
#include "vfio-user/log.h"

#include <errno.h>

/* What a VMM is told for each of IOKit's codes; EIO for the others. */
static const struct {
	kern_return_t result;
	int error;
} errors[] = {
	{ kIOReturnSuccess, 0 },
	{ kIOReturnNoMemory, ENOMEM },
	{ kIOReturnNoResources, ENOMEM },
	{ kIOReturnNoDevice, ENODEV },
	{ kIOReturnNotPrivileged, EPERM },
	{ kIOReturnNotPermitted, EPERM },
	{ kIOReturnBadArgument, EINVAL },
	{ kIOReturnNotAligned, EINVAL },
	{ kIOReturnOverrun, EINVAL },
	{ kIOReturnExclusiveAccess, EBUSY },
	{ kIOReturnBusy, EBUSY },
	{ kIOReturnStillOpen, EEXIST },
	{ kIOReturnUnsupported, ENOTSUP },
	{ kIOReturnVMError, EFAULT },
	{ kIOReturnNoSpace, ENOSPC },
	{ kIOReturnNotFound, ENOENT },
	{ kIOReturnTimeout, ETIMEDOUT },
	{ kIOReturnNotAttached, ENODEV },
	{ kIOReturnOffline, ENODEV },
};

static void note_absence(struct vu_device *device, int presence, const char *what)
{
	int present = VU_PRESENT;

	if (atomic_compare_exchange_strong(&device->presence, &present, presence))
		vu_log("device %s: %s", device->name, what);
}

int vu_device_result(struct vu_device *device, kern_return_t result)
{
	if (result == kIOReturnNotAttached)
		note_absence(device, device->options.reconnect ? VU_AWAY : VU_GONE,
			"the driver service has gone");
	else if (result == kIOReturnOffline)
		note_absence(device, VU_GONE, "the driver has let go of it");
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].result == result)
			return errors[i].error;
	return EIO;
}

/*
 * Two questions: a driver answers for config space when the device has been pulled out,
 * with ones; to the other it says that it has gone.
 */
void vu_device_check(struct vu_device *device)
{
	uint64_t ids = 0;

	if (!vu_device_is_present(device))
		return;
	vu_device_result(device, apple_dext_get_bar_info(device->connection, 0, NULL, NULL, NULL));
	if (vu_device_result(device,
		    apple_dext_config_read(device->connection, PCI_VENDOR_ID, 4, &ids)) == 0 &&
		ids == UINT32_MAX)
		note_absence(device, VU_GONE, "it does not answer any more");
}

bool vu_device_line(struct vu_device *device)
{
	uint64_t status = 0;

	return vu_device_is_present(device) &&
	       vu_device_result(device,
		       apple_dext_config_read(device->connection, PCI_STATUS, 2, &status)) == 0 &&
	       status != UINT16_MAX && (status & PCI_STATUS_INTERRUPT) != 0;
}

int vu_device_wake(struct vu_device *device)
{
	uint64_t command = 0;

	for (size_t i = 0; i < DEXT_BARS; i++)
		if (device->bars[i].size != 0)
			command |= (device->bars[i].type & DEXT_BAR_IO) != 0 ? PCI_COMMAND_IO :
									       PCI_COMMAND_MEMORY;
	return vu_device_result(
		device, apple_dext_config_write(device->connection, PCI_COMMAND, 2, command));
}

void vu_device_silence(struct vu_device *device)
{
	uint64_t command;
	kern_return_t result;

	if (!vu_device_is_present(device))
		return;
	result = apple_dext_config_read(device->connection, PCI_COMMAND, 2, &command);
	if (result == kIOReturnSuccess)
		result = apple_dext_config_write(device->connection, PCI_COMMAND, 2,
			command & ~(uint64_t)PCI_COMMAND_MASTER);
	vu_device_result(device, result);
}

int vu_device_reset(struct vu_device *device)
{
	if (!vu_device_is_present(device))
		return ENODEV;
	return vu_device_result(device, apple_dext_reset_device(device->connection));
}
