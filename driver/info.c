/* SPDX-License-Identifier: BSD-3-Clause */
/* Identity, status, DMA limits, and the lists of regions and clients. */
#include "driver/internal.h"

#include <string.h>

kern_return_t dext_handle_GetIdentity(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	const struct dext_driver *driver = client->driver;

	(void)in, (void)arguments;
	out[DEXT_IDENTITY_BUS] = driver->provider->address.bus;
	out[DEXT_IDENTITY_DEVICE] = driver->provider->address.device;
	out[DEXT_IDENTITY_FUNCTION] = driver->provider->address.function;
	out[DEXT_IDENTITY_VENDOR_ID] = driver->vendor_id;
	out[DEXT_IDENTITY_DEVICE_ID] = driver->device_id;
	out[DEXT_IDENTITY_CLASS_CODE] = driver->class_code;
	return kIOReturnSuccess;
}

kern_return_t dext_handle_GetStatus(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;
	struct dext_client *other;
	uint64_t clients = 0, regions = 0, bytes = 0;

	(void)in, (void)arguments;
	pthread_mutex_lock(&driver->lock);
	TAILQ_FOREACH (other, &driver->clients, link) {
		clients++;
		regions += atomic_load(&other->region_count);
		bytes += atomic_load(&other->bytes_wired);
	}
	out[DEXT_STATUS_CLAIMS] = driver->claims;
	out[DEXT_STATUS_FLAGS] = (client->claimed ? DEXT_STATUS_CLAIMED_BY_CALLER : 0) |
				 (driver->exclusive ? DEXT_STATUS_CLAIMED_EXCLUSIVE : 0) |
				 (driver->provider->polls_bars ? DEXT_STATUS_POLLS_BARS : 0);
	pthread_mutex_unlock(&driver->lock);
	out[DEXT_STATUS_CLIENTS] = clients;
	out[DEXT_STATUS_VECTORS] = driver->vectors;
	out[DEXT_STATUS_INTERRUPT_KIND] = driver->interrupt_kind;
	out[DEXT_STATUS_REGIONS] = regions;
	out[DEXT_STATUS_BYTES_WIRED] = bytes;
	out[DEXT_STATUS_DMA_FAULTS] = driver->provider->ops->dma_faults(driver->provider);
	out[DEXT_STATUS_RESETS] = atomic_load(&driver->resets);
	return kIOReturnSuccess;
}

kern_return_t dext_handle_GetDMALimits(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct pci_provider *provider = client->driver->provider;
	struct dma_limits limits;

	(void)in, (void)arguments;
	provider->ops->dma_limits(provider, &limits);
	out[DEXT_LIMITS_KIND] = limits.kind;
	out[DEXT_LIMITS_BYTES] = limits.bytes;
	out[DEXT_LIMITS_MAPS] = limits.maps;
	out[DEXT_LIMITS_BYTES_USED] = limits.bytes_used;
	out[DEXT_LIMITS_MAPS_USED] = limits.maps_used;
	return kIOReturnSuccess;
}

/* An answer with a list: the entries from @first on, as many as fit. */
struct listing {
	uint64_t first, count;
	unsigned char *to;
	size_t room, used;
};

static struct listing begin_listing(uint64_t first, const struct iouser_arguments *arguments)
{
	return (struct listing){ .first = first,
		.to = arguments->structure_output,
		.room = arguments->structure_output_room };
}

static void add_to_listing(struct listing *listing, const void *entry, size_t size)
{
	if (listing->count++ >= listing->first && listing->room - listing->used >= size) {
		memcpy(listing->to + listing->used, entry, size);
		listing->used += size;
	}
}

static void list_regions(struct listing *listing, struct dext_client *client)
{
	struct dma_region *region = RB_ROOT(&client->regions);

	while (region && RB_LEFT(region, node))
		region = RB_LEFT(region, node);
	for (; region; region = dext_region_next(region)) {
		const struct dext_region_info info = {
			.client = client->number,
			.segments = dext_region_chunks(region),
			.iova = region->iova,
			.size = region->size,
			.bus_address = region->segments[0].bus_address,
			.length = region->segments[0].length,
		};

		add_to_listing(listing, &info, sizeof(info));
	}
}

kern_return_t dext_handle_GetDMARegions(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;
	struct listing listing = begin_listing(in[0], arguments);
	struct dext_client *other;

	pthread_mutex_lock(&driver->lock);
	pthread_mutex_lock(&driver->regions_lock);
	TAILQ_FOREACH (other, &driver->clients, link)
		list_regions(&listing, other);
	pthread_mutex_unlock(&driver->regions_lock);
	pthread_mutex_unlock(&driver->lock);
	arguments->structure_output_size = listing.used;
	out[0] = listing.count;
	return kIOReturnSuccess;
}

/* Whether the client has set interrupts up. driver->lock is held. */
static bool takes_interrupts(struct dext_driver *driver, const struct dext_client *client)
{
	struct client_irq *irq;

	pthread_mutex_lock(&driver->irq_lock);
	LIST_FOREACH (irq, &driver->irq_clients, link)
		if (irq->client == client)
			break;
	pthread_mutex_unlock(&driver->irq_lock);
	return irq;
}

kern_return_t dext_handle_GetClients(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;
	struct listing listing = begin_listing(in[0], arguments);
	struct dext_client *other;

	pthread_mutex_lock(&driver->lock);
	TAILQ_FOREACH (other, &driver->clients, link) {
		const struct dext_client_info info = {
			.client = other->number,
			.pid = iouser_peer_pid(other->peer),
			.flags = (other->claimed ? DEXT_CLIENT_CLAIMED : 0) |
				 (other->claimed && driver->exclusive ? DEXT_CLIENT_EXCLUSIVE : 0) |
				 (takes_interrupts(driver, other) ? DEXT_CLIENT_INTERRUPTS : 0) |
				 (other == client ? DEXT_CLIENT_CALLER : 0),
			.regions = atomic_load(&other->region_count),
			.bytes_wired = atomic_load(&other->bytes_wired),
			.calls = atomic_load(&other->calls),
			.interrupts = atomic_load(&other->interrupts),
		};

		add_to_listing(&listing, &info, sizeof(info));
	}
	pthread_mutex_unlock(&driver->lock);
	arguments->structure_output_size = listing.used;
	out[0] = listing.count;
	return kIOReturnSuccess;
}
