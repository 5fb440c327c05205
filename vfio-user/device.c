/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/device.h"
#include "vfio-user/log.h"
#include "vfio-user/platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The errno for each IOKit status; EIO for all others. */
static const struct {
	kern_return_t status;
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
};

static void leave_present(struct vu_device *device, int state, const char *what)
{
	int present = VU_DEVICE_PRESENT;

	if (atomic_compare_exchange_strong(&device->state, &present, state))
		vu_log("device %s: %s", device->name, what);
}

int vu_device_error(struct vu_device *device, kern_return_t status)
{
	if (apple_dext_is_gone(status)) {
		vu_device_check(device);
		return ENODEV;
	}
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].status == status)
			return errors[i].error;
	return EIO;
}

/*
 * The codes of other calls do not tell a device that was removed from a driver that has exited, and
 * they have other meanings. Config space does: a driver that is there answers, with ones for a
 * device that was removed.
 */
void vu_device_check(struct vu_device *device)
{
	kern_return_t status;
	uint64_t ids = 0;

	if (!vu_device_is_present(device))
		return;
	status = apple_dext_config_read(device->connection, PCI_VENDOR_ID, 4, &ids);
	if (status == kIOReturnSuccess && ids == UINT32_MAX)
		leave_present(device, VU_DEVICE_REMOVED,
			"config space reads as ones: the device was removed");
	else if (apple_dext_is_gone(status))
		leave_present(device,
			device->options.reconnect ? VU_DEVICE_DISCONNECTED : VU_DEVICE_REMOVED,
			"the driver has gone");
}

bool vu_device_intx_asserted(struct vu_device *device)
{
	uint64_t status = 0;

	return vu_device_is_present(device) &&
	       vu_device_error(device,
		       apple_dext_config_read(device->connection, PCI_STATUS, 2, &status)) == 0 &&
	       status != UINT16_MAX && (status & PCI_STATUS_INTERRUPT) != 0;
}

int vu_device_enable_bars(struct vu_device *device)
{
	uint64_t command = 0;

	for (size_t i = 0; i < DEXT_BARS; i++)
		if (device->bars[i].size != 0)
			command |= (device->bars[i].type & DEXT_BAR_IO) != 0 ? PCI_COMMAND_IO :
									       PCI_COMMAND_MEMORY;
	return vu_device_error(
		device, apple_dext_config_write(device->connection, PCI_COMMAND, 2, command));
}

void vu_device_disable_bus_master(struct vu_device *device)
{
	uint64_t command;
	kern_return_t status;

	if (!vu_device_is_present(device))
		return;
	status = apple_dext_config_read(device->connection, PCI_COMMAND, 2, &command);
	if (status == kIOReturnSuccess)
		status = apple_dext_config_write(device->connection, PCI_COMMAND, 2,
			command & ~(uint64_t)PCI_COMMAND_MASTER);
	vu_device_error(device, status);
}

int vu_device_reset(struct vu_device *device)
{
	if (!vu_device_is_present(device))
		return ENODEV;
	return vu_device_error(device, apple_dext_reset_device(device->connection));
}

kern_return_t vu_device_map_bar(struct vu_device *device, uint8_t index)
{
	struct vu_bar *bar = &device->bars[index];
	kern_return_t asked, answer = kIOReturnSuccess, status;
	mach_vm_address_t address;
	mach_vm_size_t size;

	asked = apple_dext_get_memory_status(
		device->connection, DEXT_MEMORY_BAR0 + (uint32_t)index, &answer);
	if (asked != kIOReturnSuccess && asked != kIOReturnUnsupported)
		return asked;
	if (answer == kIOReturnNotReady)
		return kIOReturnSuccess;
	status = apple_dext_map_bar(device->connection, index, &address, &size, NULL);
	if (status == kIOReturnSuccess && size < bar->size)
		apple_dext_unmap_bar(device->connection, index, address);
	else if (status == kIOReturnSuccess)
		bar->mapped = address;
	/* A driver that cannot be asked does not say why it refuses: calls are left. */
	return asked == kIOReturnUnsupported && !apple_dext_is_gone(status) ? kIOReturnSuccess :
									      status;
}

void vu_device_unmap_bar(struct vu_device *device, uint8_t index)
{
	struct vu_bar *bar = &device->bars[index];

	if (bar->descriptor >= 0) {
		close(bar->descriptor);
		apple_dext_return_bar_descriptor(device->connection, index);
	}
	bar->descriptor = -1;
	if (bar->mapped != 0)
		apple_dext_unmap_bar(device->connection, index, bar->mapped);
	bar->mapped = 0;
}

/* Set *@maps. A driver that does not tell whether the device polls has one with real registers. */
static kern_return_t choose_access(const struct vu_device *device, bool *maps)
{
	AppleDextStatus info;
	kern_return_t status;

	*maps = device->options.bar_access != VU_BARS_CALLS;
	if (device->options.bar_access != VU_BARS_AUTO)
		return kIOReturnSuccess;
	status = apple_dext_get_status(device->connection, &info);
	if (status == kIOReturnSuccess)
		*maps = !info.polls_bars;
	return status == kIOReturnUnsupported ? kIOReturnSuccess : status;
}

static kern_return_t open_bars(struct vu_device *device)
{
	bool maps;
	kern_return_t status = choose_access(device, &maps);

	for (uint8_t i = 0; i < DEXT_BARS && status == kIOReturnSuccess; i++) {
		struct vu_bar *bar = &device->bars[i];

		status = apple_dext_get_bar_info(
			device->connection, i, &bar->memory_index, &bar->size, &bar->type);
		if (status == kIOReturnNotFound) {
			bar->size = 0;
			status = kIOReturnSuccess;
		} else if (status == kIOReturnSuccess && maps) {
			status = vu_device_map_bar(device, i);
		}
	}
	return status;
}

static bool claim(struct vu_device *device, char *error)
{
	kern_return_t status = apple_dext_claim_exclusive(device->connection);

	if (status == kIOReturnExclusiveAccess)
		snprintf(error, VU_ERROR_SIZE, "device %s is in use by another client",
			device->name);
	else if (status != kIOReturnSuccess)
		snprintf(error, VU_ERROR_SIZE, "device %s cannot be claimed: error 0x%08x",
			device->name, (unsigned)status);
	return status == kIOReturnSuccess;
}

static bool set_up(struct vu_device *device, char *error)
{
	kern_return_t status = vu_pci_info_read(device->connection, &device->pci);

	if (status == kIOReturnSuccess)
		status = open_bars(device);
	/* The claim has enabled bus mastering; it stays disabled until the guest enables it. */
	vu_device_disable_bus_master(device);
	if (status != kIOReturnSuccess)
		snprintf(error, VU_ERROR_SIZE, "device %s cannot be set up: error 0x%08x",
			device->name, (unsigned)status);
	return status == kIOReturnSuccess;
}

static bool create_irq(struct vu_device *device, char *error)
{
	kern_return_t status;

	device->irq = vu_irq_create(device, &status);
	if (!device->irq)
		snprintf(error, VU_ERROR_SIZE, "device %s: no interrupts: error 0x%08x",
			device->name, (unsigned)status);
	return device->irq != NULL;
}

static io_connect_t connect_to(const struct vu_device_options *options)
{
	if (options->root[0] == '\0')
		return apple_dext_connect(options->bus, options->device, options->function);
	return apple_dext_connect_with_root(
		options->root, options->bus, options->device, options->function);
}

/* Connect, claim and set up everything but interrupts. */
static struct vu_device *open_without_irq(const struct vu_device_options *options, char *error)
{
	struct vu_device *device = calloc(1, sizeof(*device));

	if (!device) {
		snprintf(error, VU_ERROR_SIZE, "out of memory");
		return NULL;
	}
	device->options = *options;
	atomic_init(&device->state, VU_DEVICE_PRESENT);
	for (size_t i = 0; i < DEXT_BARS; i++)
		device->bars[i].descriptor = -1;
	snprintf(device->name, sizeof(device->name), "%s%s%02x:%02x.%x", options->root,
		options->root[0] != '\0' ? "/" : "", options->bus, options->device & 0x1fu,
		options->function & 7u);
	device->connection = connect_to(options);
	if (device->connection == IO_OBJECT_NULL)
		snprintf(error, VU_ERROR_SIZE, "%s", apple_dext_last_error());
	else if (claim(device, error) && set_up(device, error))
		return device;
	vu_device_close(device);
	return NULL;
}

static void disconnect(struct vu_device *device)
{
	for (uint8_t i = 0; i < DEXT_BARS; i++)
		vu_device_unmap_bar(device, i);
	apple_dext_disconnect(device->connection);
	device->connection = IO_OBJECT_NULL;
}

struct vu_device *vu_device_open(const struct vu_device_options *options, char *error)
{
	struct vu_device *device;
	int reason = vu_platform_prepare_events();

	if (reason != 0) {
		snprintf(error, VU_ERROR_SIZE,
			"eventfds cannot be signalled: io_setup: %s (see fs.aio-max-nr)",
			strerror(reason));
		return NULL;
	}
	device = open_without_irq(options, error);
	if (device && create_irq(device, error))
		return device;
	vu_device_close(device);
	return NULL;
}

void vu_device_close(struct vu_device *device)
{
	if (!device)
		return;
	vu_irq_destroy(device->irq);
	disconnect(device);
	free(device);
}

static bool is_same_device(const struct vu_device *one, const struct vu_device *other)
{
	for (size_t i = 0; i < DEXT_BARS; i++)
		if (one->bars[i].size != other->bars[i].size ||
			one->bars[i].type != other->bars[i].type)
			return false;
	return memcmp(&one->pci, &other->pci, sizeof(one->pci)) == 0;
}

/* Keep the eventfds that the client has connected (@same), or replace @irq. */
static bool renew_irq(struct vu_device *device, bool same)
{
	struct vu_irq *previous = device->irq;
	char error[VU_ERROR_SIZE];

	if (same)
		return vu_irq_attach(previous) == kIOReturnSuccess;
	if (!create_irq(device, error)) {
		device->irq = previous;
		return false;
	}
	vu_irq_destroy(previous);
	return true;
}

bool vu_device_reopen(struct vu_device *device, bool same)
{
	char error[VU_ERROR_SIZE];
	struct vu_device *found;

	if (same && device->bars_shared) {
		vu_log("device %s: cannot be reconnected: its client may have mapped BARs",
			device->name);
		atomic_store(&device->state, VU_DEVICE_REMOVED);
		return false;
	}
	vu_irq_detach(device->irq);
	disconnect(device);
	found = open_without_irq(&device->options, error);
	if (!found)
		return false;
	if (same && !is_same_device(device, found)) {
		vu_log("device %s: a different device is at this address now", device->name);
		vu_device_close(found);
		atomic_store(&device->state, VU_DEVICE_REMOVED);
		return false;
	}
	device->connection = found->connection;
	device->pci = found->pci;
	memcpy(device->bars, found->bars, sizeof(device->bars));
	free(found);
	atomic_store(&device->state, VU_DEVICE_PRESENT);
	if (renew_irq(device, same)) {
		vu_log("device %s: it is back", device->name);
		return true;
	}
	atomic_store(&device->state, VU_DEVICE_DISCONNECTED);
	return false;
}

const char *vu_device_name(const struct vu_device *device)
{
	return device->name;
}
