/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space. */
#include "common/pci-capability.h"
#include "common/pci-regs.h"
#include "driver/internal.h"

static bool read_config(void *provider, uint32_t offset, uint32_t width, uint32_t *value)
{
	return ((struct pci_provider *)provider)
		       ->ops->config_read(provider, offset, width, value) == kIOReturnSuccess;
}

unsigned dext_find_capability(struct pci_provider *provider, uint8_t id)
{
	return pci_find_capability(read_config, provider, id);
}

static kern_return_t check_access(uint64_t offset, uint64_t width)
{
	if ((width != 1 && width != 2 && width != 4) || offset > DEXT_CONFIG_SIZE - width)
		return kIOReturnBadArgument;
	return offset % width ? kIOReturnNotAligned : kIOReturnSuccess;
}

/*
 * The host owns the addresses of BARs: a client reads them as zero, with the type bits, which
 * are in the first byte of a BAR's register. The upper half of a 64-bit BAR has none.
 */
static bool bar_type_bits(
	const struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t *value)
{
	const struct pci_bar *bar;
	uint32_t type;

	if (offset < PCI_BASE_ADDRESS_0 || offset >= PCI_BASE_ADDRESS_5 + 4)
		return false;
	bar = &provider->bars[(offset - PCI_BASE_ADDRESS_0) / 4];
	type = bar->implemented ? bar->type : 0;
	*value = type >> (8 * (offset % 4));
	if (width < 4)
		*value &= (1u << (8 * width)) - 1;
	return true;
}

static kern_return_t read_value(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t *value)
{
	*value = 0;
	if (bar_type_bits(provider, offset, width, value))
		return kIOReturnSuccess;
	return provider->ops->config_read(provider, offset, width, value);
}

kern_return_t dext_handle_ConfigRead(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	kern_return_t status = check_access(in[0], in[1]);
	uint32_t value;

	(void)arguments;
	if (status != kIOReturnSuccess)
		return status;
	status = read_value(client->driver->provider, (uint32_t)in[0], (uint32_t)in[1], &value);
	out[0] = value;
	return status;
}

/* For a provider without blocks: aligned words, and single bytes before and after them. */
static kern_return_t read_words(
	struct pci_provider *provider, uint32_t offset, uint8_t *bytes, uint32_t length)
{
	while (length) {
		uint32_t width = offset % 4 == 0 && length >= 4 ? 4 : 1, value;
		kern_return_t status = read_value(provider, offset, width, &value);

		if (status != kIOReturnSuccess)
			return status;
		for (uint32_t i = 0; i < width; i++)
			*bytes++ = (uint8_t)(value >> (8 * i));
		offset += width;
		length -= width;
	}
	return kIOReturnSuccess;
}

/* Replace the bytes of BAR registers in a block. */
static void hide_bar_addresses(
	const struct pci_provider *provider, uint32_t offset, uint8_t *bytes, uint32_t length)
{
	for (uint32_t at = PCI_BASE_ADDRESS_0; at < PCI_BASE_ADDRESS_5 + 4; at++) {
		uint32_t value;

		if (at >= offset && at - offset < length && bar_type_bits(provider, at, 1, &value))
			bytes[at - offset] = (uint8_t)value;
	}
}

kern_return_t dext_handle_ConfigReadBlock(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct pci_provider *provider = client->driver->provider;
	kern_return_t status;
	uint32_t offset, length;

	(void)out;
	if (in[0] > DEXT_CONFIG_SIZE || in[1] > DEXT_CONFIG_SIZE - in[0] ||
		in[1] > arguments->structure_output_room)
		return kIOReturnBadArgument;
	offset = (uint32_t)in[0];
	length = (uint32_t)in[1];
	if (!provider->ops->config_read_block) {
		status = read_words(provider, offset, arguments->structure_output, length);
	} else {
		status = provider->ops->config_read_block(
			provider, offset, arguments->structure_output, length);
		hide_bar_addresses(provider, offset, arguments->structure_output, length);
	}
	if (status == kIOReturnSuccess)
		arguments->structure_output_size = length;
	return status;
}

kern_return_t dext_handle_ConfigWrite(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	struct pci_provider *provider = client->driver->provider;
	kern_return_t status = check_access(in[0], in[1]);

	(void)out, (void)arguments;
	if (status != kIOReturnSuccess)
		return status;
	if (in[2] >> (8 * in[1]))
		return kIOReturnBadArgument; /* more bits than the access has */
	return provider->ops->config_write(
		provider, (uint32_t)in[0], (uint32_t)in[1], (uint32_t)in[2]);
}
