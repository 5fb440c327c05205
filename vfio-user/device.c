/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/device.h"
#include "vfio-user/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What a VMM is told for each of IOKit's codes; EIO for the others. */
static const struct {
	kern_return_t result;
	int error;
} errors[] = {
	{kIOReturnSuccess, 0},
	{kIOReturnNoMemory, ENOMEM},
	{kIOReturnNoResources, ENOMEM},
	{kIOReturnNoDevice, ENODEV},
	{kIOReturnNotPrivileged, EPERM},
	{kIOReturnNotPermitted, EPERM},
	{kIOReturnBadArgument, EINVAL},
	{kIOReturnNotAligned, EINVAL},
	{kIOReturnOverrun, EINVAL},
	{kIOReturnExclusiveAccess, EBUSY},
	{kIOReturnBusy, EBUSY},
	{kIOReturnStillOpen, EEXIST},
	{kIOReturnUnsupported, ENOTSUP},
	{kIOReturnVMError, EFAULT},
	{kIOReturnNoSpace, ENOSPC},
	{kIOReturnNotFound, ENOENT},
	{kIOReturnTimeout, ETIMEDOUT},
	{kIOReturnNotAttached, ENODEV},
	{kIOReturnOffline, ENODEV},
};

int vu_device_result(struct vu_device *device, kern_return_t result)
{
	if (result == kIOReturnNotAttached && !atomic_exchange(&device->gone, true))
		vu_log("device %s: the driver service has gone", device->name);
	else if (result == kIOReturnOffline && !atomic_exchange(&device->gone, true))
		vu_log("device %s: the driver has let go of it", device->name);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].result == result)
			return errors[i].error;
	return EIO;
}

static kern_return_t open_bar(struct vu_device *device, uint8_t index)
{
	struct vu_bar *bar = &device->bars[index];
	mach_vm_size_t size;
	kern_return_t result = apple_dext_get_bar_info(
		device->connection, index, &bar->memory_index, &bar->size, &bar->type);

	if (result == kIOReturnNotFound) {
		bar->size = 0;
		return kIOReturnSuccess;
	}
	if (result != kIOReturnSuccess || device->options.bar_access == VU_BARS_CALLS)
		return result;
	result = apple_dext_map_bar(device->connection, index, &bar->mapped, &size, NULL);
	if (result == kIOReturnSuccess && size < bar->size) {
		apple_dext_unmap_bar(device->connection, index, bar->mapped);
		result = kIOReturnNotReady;
	}
	if (result != kIOReturnSuccess)
		bar->mapped = 0;
	/* What cannot be mapped is reached by calls. */
	return result == kIOReturnNotReady ? kIOReturnSuccess : result;
}

static kern_return_t open_bars(struct vu_device *device)
{
	kern_return_t result = kIOReturnSuccess;

	for (uint8_t i = 0; i < DEXT_BARS && result == kIOReturnSuccess; i++)
		result = open_bar(device, i);
	return result;
}

static kern_return_t read_msi(struct vu_device *device)
{
	uint16_t at = vu_caps_find(&device->caps, PCI_CAP_MSI);
	uint64_t control;
	kern_return_t result;

	if (at == 0)
		return kIOReturnSuccess;
	result = apple_dext_config_read(device->connection, at + PCI_MSI_CONTROL, 2, &control);
	/* 6 and 7 are reserved: no device has more than 32 messages. */
	if (result == kIOReturnSuccess && ((control >> 1) & 7) <= 5)
		device->msi_vectors = 1u << ((control >> 1) & 7);
	return result;
}

static kern_return_t read_msix(struct vu_device *device)
{
	uint16_t at = vu_caps_find(&device->caps, PCI_CAP_MSIX);
	struct vu_msix *msix = &device->msix;
	uint64_t control, table, pending;
	kern_return_t result;

	if (at == 0 || at + PCI_MSIX_TABLE + 8 > PCI_CONFIG_SIZE)
		return kIOReturnSuccess;
	result = apple_dext_config_read(device->connection, at + PCI_MSIX_CONTROL, 2, &control);
	if (result == kIOReturnSuccess)
		result = apple_dext_config_read(
			device->connection, at + PCI_MSIX_TABLE, 4, &table);
	if (result == kIOReturnSuccess)
		result = apple_dext_config_read(
			device->connection, at + PCI_MSIX_TABLE + 4, 4, &pending);
	if (result != kIOReturnSuccess)
		return result;
	msix->vectors = (control & 0x7ff) + 1;
	msix->table_bar = table & 7;
	msix->table_offset = table & 0xfffffff8;
	msix->pending_bar = pending & 7;
	msix->pending_offset = pending & 0xfffffff8;
	return kIOReturnSuccess;
}

static kern_return_t read_config(struct vu_device *device)
{
	uint64_t pin = 0;
	kern_return_t result = vu_caps_read(device->connection, &device->caps);

	if (result == kIOReturnSuccess)
		result = read_msi(device);
	if (result == kIOReturnSuccess)
		result = read_msix(device);
	if (result == kIOReturnSuccess)
		result = apple_dext_config_read(device->connection, PCI_INTERRUPT_PIN, 1, &pin);
	device->interrupt_pin = (uint8_t)pin;
	device->config_size = vu_caps_find(&device->caps, PCI_CAP_PCIE) != 0 ? PCIE_CONFIG_SIZE
									     : PCI_CONFIG_SIZE;
	return result;
}

static bool claim(struct vu_device *device, char *error)
{
	kern_return_t result = apple_dext_claim_exclusive(device->connection);

	if (result == kIOReturnExclusiveAccess)
		snprintf(error, VU_ERROR_SIZE, "device %s is in use by another client",
			device->name);
	else if (result != kIOReturnSuccess)
		snprintf(error, VU_ERROR_SIZE, "device %s cannot be claimed: error 0x%08x",
			device->name, (unsigned)result);
	return result == kIOReturnSuccess;
}

static bool set_up(struct vu_device *device, char *error)
{
	kern_return_t result = read_config(device);

	if (result == kIOReturnSuccess)
		result = open_bars(device);
	if (result != kIOReturnSuccess) {
		snprintf(error, VU_ERROR_SIZE, "device %s cannot be looked into: error 0x%08x",
			device->name, (unsigned)result);
		return false;
	}
	device->irq = vu_irq_create(device, &result);
	if (!device->irq)
		snprintf(error, VU_ERROR_SIZE, "device %s: no interrupts: error 0x%08x",
			device->name, (unsigned)result);
	return device->irq != NULL;
}

struct vu_device *vu_device_open(const struct vu_device_options *options, char *error)
{
	struct vu_device *device = calloc(1, sizeof(*device));

	if (!device) {
		snprintf(error, VU_ERROR_SIZE, "out of memory");
		return NULL;
	}
	device->options = *options;
	atomic_init(&device->gone, false);
	snprintf(device->name, sizeof(device->name), "%02x:%02x.%x", options->bus,
		options->device & 0x1fu, options->function & 7u);
	device->connection =
		apple_dext_connect(options->bus, options->device, options->function);
	if (device->connection == IO_OBJECT_NULL)
		snprintf(error, VU_ERROR_SIZE, "%s", apple_dext_last_error());
	else if (claim(device, error) && set_up(device, error))
		return device;
	vu_device_close(device);
	return NULL;
}

void vu_device_close(struct vu_device *device)
{
	if (!device)
		return;
	vu_irq_destroy(device->irq);
	for (uint8_t i = 0; i < DEXT_BARS; i++)
		if (device->bars[i].mapped != 0)
			apple_dext_unmap_bar(device->connection, i, device->bars[i].mapped);
	apple_dext_disconnect(device->connection);
	free(device);
}

const char *vu_device_name(const struct vu_device *device)
{
	return device->name;
}

int vu_device_wake(struct vu_device *device)
{
	uint64_t command = 0;

	for (size_t i = 0; i < DEXT_BARS; i++)
		if (device->bars[i].size != 0)
			command |= (device->bars[i].type & DEXT_BAR_IO) != 0 ? PCI_COMMAND_IO
									    : PCI_COMMAND_MEMORY;
	return vu_device_result(
		device, apple_dext_config_write(device->connection, PCI_COMMAND, 2, command));
}

void vu_device_silence(struct vu_device *device)
{
	uint64_t command;
	kern_return_t result =
		apple_dext_config_read(device->connection, PCI_COMMAND, 2, &command);

	if (result == kIOReturnSuccess)
		result = apple_dext_config_write(device->connection, PCI_COMMAND, 2,
			command & ~(uint64_t)PCI_COMMAND_MASTER);
	vu_device_result(device, result);
}

int vu_device_reset(struct vu_device *device)
{
	return vu_device_result(device, apple_dext_reset_device(device->connection));
}
