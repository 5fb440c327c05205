/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/device.h"
#include "vfio-user/log.h"
#include "vfio-user/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

kern_return_t vu_device_map_bar(struct vu_device *device, uint8_t index)
{
	struct vu_bar *bar = &device->bars[index];
	mach_vm_size_t size;
	kern_return_t result =
		apple_dext_map_bar(device->connection, index, &bar->mapped, &size, NULL);

	if (result == kIOReturnSuccess && size < bar->size) {
		apple_dext_unmap_bar(device->connection, index, bar->mapped);
		result = kIOReturnNotReady;
	}
	if (result != kIOReturnSuccess)
		bar->mapped = 0;
	/* What cannot be mapped is reached by calls. */
	return result == kIOReturnNotReady ? kIOReturnSuccess : result;
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

static kern_return_t open_bar(struct vu_device *device, uint8_t index)
{
	struct vu_bar *bar = &device->bars[index];
	kern_return_t result = apple_dext_get_bar_info(
		device->connection, index, &bar->memory_index, &bar->size, &bar->type);

	if (result == kIOReturnNotFound) {
		bar->size = 0;
		return kIOReturnSuccess;
	}
	if (result != kIOReturnSuccess || device->options.bar_access == VU_BARS_CALLS)
		return result;
	return vu_device_map_bar(device, index);
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
	uint16_t at = vu_caps_find(&device->caps, PCI_CAP_ID_MSI);
	uint64_t control;
	kern_return_t result;

	if (at == 0)
		return kIOReturnSuccess;
	result = apple_dext_config_read(device->connection, at + PCI_MSI_FLAGS, 2, &control);
	/* 6 and 7 are reserved: no device has more than 32 messages. */
	if (result == kIOReturnSuccess && ((control >> 1) & 7) <= 5)
		device->msi_vectors = 1u << ((control >> 1) & 7);
	return result;
}

static kern_return_t read_msix(struct vu_device *device)
{
	uint16_t at = vu_caps_find(&device->caps, PCI_CAP_ID_MSIX);
	struct vu_msix *msix = &device->msix;
	uint64_t control, table, pending;
	kern_return_t result;

	if (at == 0 || at + PCI_MSIX_TABLE + 8u > PCI_CFG_SPACE_SIZE)
		return kIOReturnSuccess;
	result = apple_dext_config_read(device->connection, at + PCI_MSIX_FLAGS, 2, &control);
	if (result == kIOReturnSuccess)
		result = apple_dext_config_read(device->connection, at + PCI_MSIX_TABLE, 4, &table);
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

static kern_return_t read_identity(struct vu_device *device)
{
	static const uint64_t offsets[] = { PCI_VENDOR_ID, PCI_CLASS_REVISION,
		PCI_SUBSYSTEM_VENDOR_ID };
	kern_return_t result = kIOReturnSuccess;

	for (size_t i = 0; i < 3 && result == kIOReturnSuccess; i++) {
		uint64_t value = 0;

		result = apple_dext_config_read(device->connection, offsets[i], 4, &value);
		device->identity[i] = (uint32_t)value;
	}
	return result;
}

static kern_return_t read_config(struct vu_device *device)
{
	uint64_t pin = 0;
	kern_return_t result = vu_caps_read(device->connection, &device->caps);

	if (result == kIOReturnSuccess)
		result = read_identity(device);
	if (result == kIOReturnSuccess)
		result = read_msi(device);
	if (result == kIOReturnSuccess)
		result = read_msix(device);
	if (result == kIOReturnSuccess)
		result = apple_dext_config_read(device->connection, PCI_INTERRUPT_PIN, 1, &pin);
	device->interrupt_pin = (uint8_t)pin;
	device->config_size = vu_caps_find(&device->caps, PCI_CAP_ID_EXP) != 0 ?
				      PCI_CFG_SPACE_EXP_SIZE :
				      PCI_CFG_SPACE_SIZE;
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

static bool look_into(struct vu_device *device, char *error)
{
	kern_return_t result = read_config(device);

	if (result == kIOReturnSuccess)
		result = open_bars(device);
	/* The claim has turned bus mastering on; that is the guest's to do. */
	vu_device_silence(device);
	if (result != kIOReturnSuccess)
		snprintf(error, VU_ERROR_SIZE, "device %s cannot be looked into: error 0x%08x",
			device->name, (unsigned)result);
	return result == kIOReturnSuccess;
}

static bool take_interrupts(struct vu_device *device, char *error)
{
	kern_return_t result;

	device->irq = vu_irq_create(device, &result);
	if (!device->irq)
		snprintf(error, VU_ERROR_SIZE, "device %s: no interrupts: error 0x%08x",
			device->name, (unsigned)result);
	return device->irq != NULL;
}

static io_connect_t connect_to(const struct vu_device_options *options)
{
	if (options->root[0] == '\0')
		return apple_dext_connect(options->bus, options->device, options->function);
	return apple_dext_connect_with_root(
		options->root, options->bus, options->device, options->function);
}

/* Everything but its interrupts. */
static struct vu_device *find(const struct vu_device_options *options, char *error)
{
	struct vu_device *device = calloc(1, sizeof(*device));

	if (!device) {
		snprintf(error, VU_ERROR_SIZE, "out of memory");
		return NULL;
	}
	device->options = *options;
	atomic_init(&device->presence, VU_PRESENT);
	for (size_t i = 0; i < DEXT_BARS; i++)
		device->bars[i].descriptor = -1;
	snprintf(device->name, sizeof(device->name), "%s%s%02x:%02x.%x", options->root,
		options->root[0] != '\0' ? "/" : "", options->bus, options->device & 0x1fu,
		options->function & 7u);
	device->connection = connect_to(options);
	if (device->connection == IO_OBJECT_NULL)
		snprintf(error, VU_ERROR_SIZE, "%s", apple_dext_last_error());
	else if (claim(device, error) && look_into(device, error))
		return device;
	vu_device_close(device);
	return NULL;
}

/* Let go of the driver: what it gave is gone. */
static void let_go(struct vu_device *device)
{
	for (uint8_t i = 0; i < DEXT_BARS; i++)
		vu_device_unmap_bar(device, i);
	apple_dext_disconnect(device->connection);
	device->connection = IO_OBJECT_NULL;
}

struct vu_device *vu_device_open(const struct vu_device_options *options, char *error)
{
	struct vu_device *device;
	int why = vu_platform_prepare_events();

	if (why != 0) {
		snprintf(error, VU_ERROR_SIZE,
			"eventfds cannot be signalled: io_setup: %s (see fs.aio-max-nr)",
			strerror(why));
		return NULL;
	}
	device = find(options, error);
	if (device && take_interrupts(device, error))
		return device;
	vu_device_close(device);
	return NULL;
}

void vu_device_close(struct vu_device *device)
{
	if (!device)
		return;
	vu_irq_destroy(device->irq);
	let_go(device);
	free(device);
}

static bool is_alike(const struct vu_device *one, const struct vu_device *other)
{
	for (size_t i = 0; i < DEXT_BARS; i++)
		if (one->bars[i].size != other->bars[i].size ||
			one->bars[i].type != other->bars[i].type)
			return false;
	return memcmp(one->identity, other->identity, sizeof(one->identity)) == 0 &&
	       memcmp(&one->caps, &other->caps, sizeof(one->caps)) == 0 &&
	       memcmp(&one->msix, &other->msix, sizeof(one->msix)) == 0 &&
	       one->msi_vectors == other->msi_vectors && one->interrupt_pin == other->interrupt_pin;
}

/* Become what was found, which is consumed; the interrupts stay as they are. */
static void adopt(struct vu_device *device, struct vu_device *found)
{
	device->connection = found->connection;
	memcpy(device->bars, found->bars, sizeof(device->bars));
	memcpy(device->identity, found->identity, sizeof(device->identity));
	device->caps = found->caps;
	device->msix = found->msix;
	device->msi_vectors = found->msi_vectors;
	device->interrupt_pin = found->interrupt_pin;
	device->config_size = found->config_size;
	free(found);
}

/* With the eventfds that are connected to them, or afresh. */
static bool renew_interrupts(struct vu_device *device, bool same)
{
	char error[VU_ERROR_SIZE];

	struct vu_irq *before = device->irq;

	if (same)
		return vu_irq_attach(before) == kIOReturnSuccess;
	if (!take_interrupts(device, error)) {
		device->irq = before;
		return false;
	}
	vu_irq_destroy(before);
	return true;
}

bool vu_device_reopen(struct vu_device *device, bool same)
{
	char error[VU_ERROR_SIZE];
	struct vu_device *found;

	if (same && device->lent) {
		vu_log("device %s: gone with the memory of BARs that its client may have mapped",
			device->name);
		atomic_store(&device->presence, VU_GONE);
		return false;
	}
	vu_irq_detach(device->irq);
	let_go(device);
	found = find(&device->options, error);
	if (!found)
		return false;
	if (same && !is_alike(device, found)) {
		vu_log("device %s: another device is there now than before", device->name);
		vu_device_close(found);
		atomic_store(&device->presence, VU_GONE);
		return false;
	}
	adopt(device, found);
	atomic_store(&device->presence, VU_PRESENT);
	if (renew_interrupts(device, same)) {
		vu_log("device %s: it is back", device->name);
		return true;
	}
	atomic_store(&device->presence, VU_AWAY);
	return false;
}

const char *vu_device_name(const struct vu_device *device)
{
	return device->name;
}
