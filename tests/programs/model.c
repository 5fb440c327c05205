/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/programs/model.h"

#include <string.h>

/* PCI 3.0, 6.1 and 6.8.2. */
enum {
	CONFIG_COMMAND = 0x04,
	CONFIG_STATUS = 0x06,
	CONFIG_CACHE_LINE = 0x0c,
	CONFIG_BAR0 = 0x10,
	CONFIG_CAPABILITIES = 0x34,
	CONFIG_INTERRUPT_LINE = 0x3c
};
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4 };
#define COMMAND_WRITABLE                                                                           \
	0x0547u /* the above, Parity Error Response, SERR# Enable, no Interrupt Disable */
#define MSIX_ID	      0x11
#define MSIX_WRITABLE 0xc0u /* enable and mask all: in the control's upper byte */

/* NVMe 1.4, 3.1: a controller that is not enabled. */
enum { WORD_AQA = 0x24 / 4, WORD_ASQ = 0x28 / 4, WORD_ACQ = 0x30 / 4, WORD_VS = 0x08 / 4 };
static const uint32_t register_writable[MODEL_BAR_WORDS] = {
	[WORD_AQA] = 0x0fff0fff,
	[WORD_ASQ] = 0xfffff000,
	[WORD_ASQ + 1] = UINT32_MAX,
	[WORD_ACQ] = 0xfffff000,
	[WORD_ACQ + 1] = UINT32_MAX,
};

static void set_command(struct model_device *device, uint16_t set, uint16_t clear)
{
	uint16_t command = (uint16_t)((model_command(device) & ~clear) | set);

	device->config[CONFIG_COMMAND] = (uint8_t)command;
	device->config[CONFIG_COMMAND + 1] = (uint8_t)(command >> 8);
}

uint16_t model_command(const struct model_device *device)
{
	return (uint16_t)(device->config[CONFIG_COMMAND] | device->config[CONFIG_COMMAND + 1] << 8);
}

void model_device_init(struct model_device *device, const uint8_t config[DEXT_CONFIG_SIZE],
	uint64_t capabilities, uint64_t bar_size, unsigned vectors)
{
	device->bar_size = bar_size;
	device->vectors = vectors;
	memcpy(device->config, config, DEXT_CONFIG_SIZE);
	memcpy(device->untouched, config, DEXT_CONFIG_SIZE);
	device->writable[CONFIG_COMMAND] = COMMAND_WRITABLE & 0xff;
	device->writable[CONFIG_COMMAND + 1] = COMMAND_WRITABLE >> 8;
	device->writable[CONFIG_CACHE_LINE] = 0xff;
	device->writable[CONFIG_INTERRUPT_LINE] = 0xff;
	for (unsigned at = config[CONFIG_CAPABILITIES]; at; at = config[at + 1])
		if (config[at] == MSIX_ID)
			device->writable[at + 3] = MSIX_WRITABLE;
	device->power_on[0] = (uint32_t)capabilities;
	device->power_on[1] = (uint32_t)(capabilities >> 32);
	device->power_on[WORD_VS] = 0x00010400;
	memcpy(device->registers, device->power_on, sizeof(device->registers));
}

unsigned model_clients(const struct model *model, const struct model_device *device)
{
	unsigned count = 0;

	for (size_t i = 0; i < MODEL_CLIENTS; i++)
		count += model->clients[i].device == device;
	return count;
}

unsigned model_claims(const struct model *model, const struct model_device *device)
{
	unsigned count = 0;

	for (size_t i = 0; i < MODEL_CLIENTS; i++)
		count += model->clients[i].device == device && model->clients[i].claimed;
	return count;
}

void model_open(struct model_client *client, struct model_device *device)
{
	*client = (struct model_client){ .device = device };
}

/*
 * Config space is restored, registers have their values of power-on; interrupts and regions stay.
 */
static void reset(struct model_device *device)
{
	memcpy(device->registers, device->power_on, sizeof(device->registers));
	device->resets++;
}

void model_close(struct model *model, struct model_client *client)
{
	struct model_device *device = client->device;
	bool claimed = client->claimed;

	model_drop_mappings(client);
	*client = (struct model_client){ .device = NULL };
	if (!claimed)
		return;
	device->exclusive = false;
	if (model_claims(model, device))
		return;
	device->shared = false;
	reset(device);
	memcpy(device->config, device->untouched, DEXT_CONFIG_SIZE);
}

kern_return_t model_claim(struct model *model, struct model_client *client, bool exclusive)
{
	struct model_device *device = client->device;
	unsigned others = model_claims(model, device) - client->claimed;

	if (others && (exclusive || device->exclusive))
		return kIOReturnExclusiveAccess;
	if (exclusive && device->shared && client->bars_mapped)
		return kIOReturnBusy;
	if (!others && !client->claimed)
		set_command(device, COMMAND_MEMORY | COMMAND_MASTER, 0);
	client->claimed = true;
	device->exclusive = device->exclusive || exclusive;
	device->shared = !device->exclusive && (device->shared || others);
	return kIOReturnSuccess;
}

kern_return_t model_reset(struct model_client *client)
{
	if (!client->claimed)
		return kIOReturnNotOpen;
	reset(client->device);
	return kIOReturnSuccess;
}

static kern_return_t check_config_access(uint64_t offset, uint64_t width)
{
	if (width != 1 && width != 2 && width != 4)
		return kIOReturnBadArgument;
	if (offset > DEXT_CONFIG_SIZE || width > DEXT_CONFIG_SIZE - offset)
		return kIOReturnBadArgument;
	return offset % width ? kIOReturnNotAligned : kIOReturnSuccess;
}

/* BARs read as their type bits only, which the only BAR has in its first byte. */
static uint8_t config_byte(const struct model_device *device, uint64_t offset)
{
	if (offset == CONFIG_BAR0)
		return DEXT_BAR_MEM64;
	if (offset > CONFIG_BAR0 && offset < CONFIG_BAR0 + 4 * DEXT_BARS)
		return 0;
	return device->config[offset];
}

kern_return_t model_config_read(
	const struct model_client *client, uint64_t offset, uint64_t width, uint64_t *value)
{
	kern_return_t status = check_config_access(offset, width);

	*value = 0;
	for (uint64_t i = 0; status == kIOReturnSuccess && i < width; i++)
		*value |= (uint64_t)config_byte(client->device, offset + i) << (8 * i);
	return status;
}

kern_return_t model_config_write(
	struct model_client *client, uint64_t offset, uint64_t width, uint64_t value)
{
	struct model_device *device = client->device;
	kern_return_t status = check_config_access(offset, width);

	if (!client->claimed)
		return kIOReturnNotOpen;
	if (status != kIOReturnSuccess)
		return status;
	if (value >> (8 * width))
		return kIOReturnBadArgument;
	for (uint64_t i = 0; i < width; i++) {
		uint8_t writable = device->writable[offset + i], byte = (uint8_t)(value >> (8 * i));
		uint8_t kept = device->config[offset + i] & (uint8_t)~writable;

		device->config[offset + i] = (uint8_t)(kept | (byte & writable));
	}
	return kIOReturnSuccess;
}

kern_return_t model_bar_info(
	const struct model_client *client, uint64_t bar, uint64_t out[DEXT_OUT_GetBARInfo])
{
	if (bar >= DEXT_BARS)
		return kIOReturnBadArgument;
	if (bar != 0)
		return kIOReturnNotFound;
	out[DEXT_BAR_MEMORY_INDEX] = 0;
	out[DEXT_BAR_SIZE] = client->device->bar_size;
	out[DEXT_BAR_TYPE] = DEXT_BAR_MEM64;
	return kIOReturnSuccess;
}

kern_return_t model_map_bar(const struct model_client *client, uint64_t bar)
{
	uint64_t out[DEXT_OUT_GetBARInfo];
	kern_return_t status = model_bar_info(client, bar, out);

	if (status != kIOReturnSuccess)
		return status;
	return client->claimed ? kIOReturnSuccess : kIOReturnNotOpen;
}

static kern_return_t check_mmio_access(
	const struct model_client *client, uint64_t index, uint64_t offset, uint64_t width)
{
	uint64_t size = client->device->bar_size;

	if (!client->claimed)
		return kIOReturnNotOpen;
	if (index != 0)
		return kIOReturnNotFound;
	if ((width != 1 && width != 2 && width != 4 && width != 8) || offset > size ||
		width > size - offset)
		return kIOReturnBadArgument;
	return offset % width ? kIOReturnNotAligned : kIOReturnSuccess;
}

static uint32_t load(const struct model_device *device, uint64_t offset)
{
	return offset < 4 * MODEL_BAR_WORDS ? device->registers[offset / 4] : 0;
}

kern_return_t model_mmio_read(const struct model_client *client, uint64_t index, uint64_t offset,
	uint64_t width, uint64_t *value)
{
	kern_return_t status = check_mmio_access(client, index, offset, width);
	uint64_t first = offset & ~UINT64_C(3);

	if (status != kIOReturnSuccess)
		return status;
	*value = load(client->device, first);
	if (width == 8)
		*value |= (uint64_t)load(client->device, first + 4) << 32;
	*value >>= 8 * (offset % 4);
	if (width < 8)
		*value &= (UINT64_C(1) << (8 * width)) - 1;
	return kIOReturnSuccess;
}

void model_store(struct model_device *device, uint64_t offset, uint32_t value)
{
	uint32_t writable = offset < 4 * MODEL_BAR_WORDS ? register_writable[offset / 4] : 0;

	if (writable)
		device->registers[offset / 4] = value & writable;
}

kern_return_t model_mmio_write(struct model_client *client, uint64_t index, uint64_t offset,
	uint64_t width, uint64_t value)
{
	kern_return_t status = check_mmio_access(client, index, offset, width);

	if (status != kIOReturnSuccess)
		return status;
	if (width < 8 && value >> (8 * width))
		return kIOReturnBadArgument;
	if (width < 4)
		return kIOReturnSuccess; /* the controller's registers are written whole */
	model_store(client->device, offset, (uint32_t)value);
	if (width == 8)
		model_store(client->device, offset + 4, (uint32_t)(value >> 32));
	return kIOReturnSuccess;
}
