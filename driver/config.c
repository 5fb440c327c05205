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

kern_return_t dext_handle_ConfigRead(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	struct pci_provider *provider = client->driver->provider;
	kern_return_t status = check_access(in[0], in[1]);
	uint32_t value = 0;

	(void)arguments;
	if (status != kIOReturnSuccess)
		return status;
	if (!bar_type_bits(provider, (uint32_t)in[0], (uint32_t)in[1], &value))
		status = provider->ops->config_read(
			provider, (uint32_t)in[0], (uint32_t)in[1], &value);
	out[0] = value;
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
