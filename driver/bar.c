/* SPDX-License-Identifier: BSD-3-Clause */
/* BARs: information, accesses by call, memory to map. */
#include "driver/internal.h"

kern_return_t dext_handle_GetBARInfo(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	const struct pci_bar *bars = client->driver->provider->bars;
	uint64_t index = 0;

	(void)arguments;
	if (in[0] >= DEXT_BARS)
		return kIOReturnBadArgument;
	if (!bars[in[0]].implemented)
		return kIOReturnNotFound;
	for (uint64_t bar = 0; bar < in[0]; bar++)
		index += bars[bar].implemented;
	out[DEXT_BAR_MEMORY_INDEX] = index;
	out[DEXT_BAR_SIZE] = bars[in[0]].size;
	out[DEXT_BAR_TYPE] = bars[in[0]].type;
	return kIOReturnSuccess;
}

/* The BAR of a memory index, which counts implemented BARs only; DEXT_BARS: there is none. */
static unsigned bar_of_index(const struct pci_provider *provider, uint64_t index)
{
	for (unsigned bar = 0; bar < DEXT_BARS; bar++)
		if (provider->bars[bar].implemented && index-- == 0)
			return bar;
	return DEXT_BARS;
}

/* Check an access to [@offset, @offset + @width) of the BAR with that memory index. */
static kern_return_t check_access(const struct pci_provider *provider, uint64_t index,
	uint64_t offset, uint64_t width, unsigned *bar)
{
	*bar = bar_of_index(provider, index);
	if (*bar == DEXT_BARS)
		return kIOReturnNotFound;
	if (width != 1 && width != 2 && width != 4 && width != 8)
		return kIOReturnBadArgument;
	if (width > provider->bars[*bar].size || offset > provider->bars[*bar].size - width)
		return kIOReturnBadArgument;
	return offset % width ? kIOReturnNotAligned : kIOReturnSuccess;
}

kern_return_t dext_handle_MMIORead(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	struct pci_provider *provider = client->driver->provider;
	kern_return_t status;
	unsigned bar;

	(void)arguments;
	status = check_access(provider, in[0], in[1], in[2], &bar);
	if (status != kIOReturnSuccess)
		return status;
	return provider->ops->bar_read(provider, bar, in[1], (unsigned)in[2], out);
}

kern_return_t dext_handle_MMIOWrite(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	struct pci_provider *provider = client->driver->provider;
	kern_return_t status;
	unsigned bar;

	(void)out, (void)arguments;
	status = check_access(provider, in[0], in[1], in[2], &bar);
	if (status != kIOReturnSuccess)
		return status;
	if (in[2] < 8 && in[3] >> (8 * in[2]))
		return kIOReturnBadArgument; /* more bits than the access has */
	return provider->ops->bar_write(provider, bar, in[1], (unsigned)in[2], in[3]);
}

kern_return_t dext_bar_memory(
	struct dext_client *client, unsigned bar, struct iouser_memory *memory)
{
	struct pci_provider *provider = client->driver->provider;
	struct pci_bar_memory found;
	kern_return_t status;

	if (!provider->bars[bar].implemented)
		return kIOReturnNotReady;
	status = provider->ops->bar_memory(provider, bar, &found);
	if (status != kIOReturnSuccess)
		return status;
	if (found.owner_only && !iouser_peer_is_privileged(client->peer)) {
		if (provider->ops->bar_unmapped)
			provider->ops->bar_unmapped(provider, bar);
		return kIOReturnNotReady; /* it can be accessed by calls */
	}
	*memory = (struct iouser_memory){
		.fd = found.fd,
		.offset = found.offset,
		.size = provider->bars[bar].size,
		.hole = found.hole,
		.hole_size = found.hole_size,
	};
	return kIOReturnSuccess;
}
