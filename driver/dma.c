/* SPDX-License-Identifier: BSD-3-Clause */
/* DMA regions, by iova, split into chunks that the IOMMU maps as one segment each. */
#include "common/dma-span.h"
#include "driver/internal.h"

#include <stdlib.h>

static int compare(struct dma_region *a, struct dma_region *b)
{
	return (a->iova > b->iova) - (a->iova < b->iova);
}

RB_GENERATE_INTERNAL(region_tree, dma_region, node, compare, static __attribute__((unused)))

struct dma_region *dext_find_region(struct dext_client *client, uint64_t iova)
{
	struct dma_region wanted = { .iova = iova };

	return RB_FIND(region_tree, &client->regions, &wanted);
}

struct dma_region *dext_region_next(struct dma_region *region)
{
	return RB_NEXT(region_tree, NULL, region);
}

size_t dext_cut_spans(const struct iouser_task_memory *memory, uint64_t offset, uint64_t length,
	struct dma_span *spans)
{
	size_t count = 0;

	for (size_t i = 0; i < iouser_task_memory_count(memory) && length; i++) {
		struct dma_span span = *iouser_task_memory_span(memory, i);

		if (offset >= span.length) {
			offset -= span.length;
			continue;
		}
		span.length = span.length - offset < length ? span.length - offset : length;
		if (span.is_private)
			span.va += offset;
		else
			span.host = (char *)span.host + offset;
		spans[count++] = span;
		length -= span.length;
		offset = 0;
	}
	return count;
}

/* dma_owner.free: no access to the memory is in progress. */
static void region_free(struct dma_owner *owner)
{
	struct dma_region *region = (struct dma_region *)owner;

	iouser_task_memory_release(region->memory);
	free(region);
}

static void unmap_chunks(struct dext_client *client, struct dma_region *region)
{
	struct pci_provider *provider = client->driver->provider;

	for (unsigned i = dext_region_chunks(region); i-- > 0;) {
		struct dma_segment *segment = &region->segments[i];

		if (segment->length)
			provider->ops->dma_unmap(provider, segment);
		segment->length = 0;
	}
}

/*
 * Unmap the region's chunks and release its memory. kIOReturnTimeout: an access in progress has
 * not ended; it holds a reference to the memory until it ends.
 */
static kern_return_t undo(struct dext_client *client, struct dma_region *region)
{
	unmap_chunks(client, region);
	return dma_owner_put(&region->owner) ? kIOReturnSuccess : kIOReturnTimeout;
}

static kern_return_t map_chunk(struct dext_client *client, struct dma_region *region,
	uint64_t offset, uint64_t length, struct dma_span *spans)
{
	struct pci_provider *provider = client->driver->provider;
	struct dma_segment *segment = &region->segments[offset / DEXT_CHUNK_MAX];
	struct dma_request request = {
		.iova = region->iova + offset,
		.length = length,
		.spans = spans,
		.span_count = dext_cut_spans(region->memory, offset, length, spans),
		.owner = &region->owner,
	};
	kern_return_t status = provider->ops->dma_map(provider, &request, segment);

	if (status != kIOReturnSuccess)
		return status;
	return segment->length == length ? kIOReturnSuccess : kIOReturnNotAligned;
}

static kern_return_t map_chunks(struct dext_client *client, struct dma_region *region)
{
	struct dma_span *spans = calloc(iouser_task_memory_count(region->memory), sizeof(*spans));
	kern_return_t status = spans ? kIOReturnSuccess : kIOReturnNoMemory;

	for (uint64_t offset = 0; offset < region->size && status == kIOReturnSuccess;) {
		uint64_t left = region->size - offset;
		uint64_t length = left < DEXT_CHUNK_MAX ? left : DEXT_CHUNK_MAX;

		status = map_chunk(client, region, offset, length, spans);
		offset += length;
	}
	free(spans);
	return status;
}

/* Memory that the driver needs for the spans of a region; counts towards the quota. */
static uint64_t overhead(const struct iouser_task_memory *memory)
{
	return (iouser_task_memory_count(memory) - 1) *
	       (2 * sizeof(struct dma_span) + sizeof(void *));
}

static kern_return_t copy_memory(struct dext_client *client, const struct region_memory *memory,
	struct iouser_task_memory **copied)
{
	if (memory->fd >= 0)
		return iouser_copy_file_memory(client->peer, memory->fd, memory->offset,
			memory->size, memory->writable, copied);
	return iouser_copy_task_memory(client->peer, memory->va, memory->size, copied);
}

static kern_return_t region_create(struct dext_client *client, uint64_t iova,
	const struct region_memory *memory, struct dma_region **created)
{
	uint64_t size = memory->size;
	struct dma_region *region;
	kern_return_t status;

	region = calloc(1, sizeof(*region) + dext_chunk_count(size) * sizeof(region->segments[0]));
	if (!region)
		return kIOReturnNoMemory;
	region->iova = iova;
	region->size = size;
	atomic_init(&region->owner.references, 1);
	region->owner.free = region_free;
	status = copy_memory(client, memory, &region->memory);
	if (status == kIOReturnSuccess &&
		!dext_check_quota(client, size + overhead(region->memory)))
		status = kIOReturnNoResources;
	if (status == kIOReturnSuccess)
		status = map_chunks(client, region);
	if (status != kIOReturnSuccess) {
		undo(client, region);
		return status;
	}
	*created = region;
	return kIOReturnSuccess;
}

/* Whether bus addresses that the client chose overflow. With a DART the iova is only a key. */
static bool wraps(const struct dext_client *client, uint64_t iova, uint64_t size)
{
	struct pci_provider *provider = client->driver->provider;
	struct dma_limits limits;

	if (iova + (size - 1) >= iova)
		return false;
	provider->ops->dma_limits(provider, &limits);
	return limits.kind == DEXT_IOMMU_IDENTITY;
}

bool dext_check_quota(const struct dext_client *client, uint64_t bytes)
{
	uint64_t quota = client->driver->quotas.bytes_wired;

	return bytes <= quota &&
	       atomic_load(&client->bytes_wired) + client->bytes_overhead <= quota - bytes;
}

kern_return_t dext_register_region(struct dext_client *client, uint64_t iova,
	const struct region_memory *memory, struct dma_region **region)
{
	uint64_t size = memory->size;
	kern_return_t status;

	if (!size || (memory->fd < 0 && !memory->va) || wraps(client, iova, size))
		return kIOReturnBadArgument;
	if (dext_find_region(client, iova))
		return kIOReturnStillOpen;
	if (atomic_load(&client->region_count) >= client->driver->quotas.regions)
		return kIOReturnNoSpace;
	if (size > DEXT_CHUNKS_MAX * DEXT_CHUNK_MAX)
		return kIOReturnNoSpace;
	if (!dext_check_quota(client, size))
		return kIOReturnNoResources;
	status = region_create(client, iova, memory, region);
	if (status != kIOReturnSuccess)
		return status;
	pthread_mutex_lock(&client->driver->regions_lock);
	RB_INSERT(region_tree, &client->regions, *region);
	pthread_mutex_unlock(&client->driver->regions_lock);
	atomic_fetch_add(&client->region_count, 1);
	atomic_fetch_add(&client->bytes_wired, size);
	client->bytes_overhead += overhead((*region)->memory);
	return kIOReturnSuccess;
}

/* Register one region, and fill in the scalars of the result. */
static kern_return_t register_one(struct dext_client *client, uint64_t iova,
	const struct region_memory *memory, uint64_t *out)
{
	struct dma_region *region;
	kern_return_t status = dext_register_region(client, iova, memory, &region);

	if (status != kIOReturnSuccess)
		return status;
	out[DEXT_REGION_SEGMENTS] = dext_region_chunks(region);
	out[DEXT_REGION_BUS_ADDRESS] = region->segments[0].bus_address;
	out[DEXT_REGION_BUS_LENGTH] = region->segments[0].length;
	return kIOReturnSuccess;
}

kern_return_t dext_handle_RegisterDMARegion(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	const struct region_memory memory = {
		.size = in[DEXT_REGION_SIZE], .va = in[DEXT_REGION_VA], .fd = -1
	};

	(void)arguments;
	return register_one(client, in[DEXT_REGION_IOVA], &memory, out);
}

kern_return_t dext_file_memory(const struct iouser_arguments *arguments, size_t descriptor,
	uint64_t offset, uint64_t size, uint64_t flags, struct region_memory *memory)
{
	if (descriptor >= arguments->descriptor_count || !flags ||
		flags & ~(DEXT_DMA_DEVICE_READS | DEXT_DMA_DEVICE_WRITES))
		return kIOReturnBadArgument;
	*memory = (struct region_memory){
		.size = size,
		.fd = arguments->descriptors[descriptor],
		.offset = offset,
		.writable = flags & DEXT_DMA_DEVICE_WRITES,
	};
	return kIOReturnSuccess;
}

kern_return_t dext_handle_RegisterDMAFile(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct region_memory memory;
	kern_return_t status = dext_file_memory(arguments, 0, in[DEXT_FILE_OFFSET],
		in[DEXT_FILE_SIZE], in[DEXT_FILE_FLAGS], &memory);

	if (status != kIOReturnSuccess)
		return status;
	return register_one(client, in[DEXT_FILE_IOVA], &memory, out);
}

static kern_return_t drop(struct dext_client *client, struct dma_region *region)
{
	pthread_mutex_lock(&client->driver->regions_lock);
	RB_REMOVE(region_tree, &client->regions, region);
	pthread_mutex_unlock(&client->driver->regions_lock);
	atomic_fetch_sub(&client->region_count, 1);
	atomic_fetch_sub(&client->bytes_wired, region->size);
	client->bytes_overhead -= overhead(region->memory);
	return undo(client, region);
}

kern_return_t dext_unregister_region(struct dext_client *client, uint64_t iova)
{
	struct dma_region *region = dext_find_region(client, iova);

	if (!region)
		return kIOReturnNotFound;
	return drop(client, region);
}

kern_return_t dext_handle_UnregisterDMARegion(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	(void)out, (void)arguments;
	return dext_unregister_region(client, in[0]);
}

void dext_unmap_regions(struct dext_client *client)
{
	struct dma_region *region;

	/* The lists of regions are made under driver->lock, which the caller holds. */
	RB_FOREACH (region, region_tree, &client->regions)
		unmap_chunks(client, region);
}

void dext_drop_regions(struct dext_client *client)
{
	struct dma_region *region;

	while ((region = RB_ROOT(&client->regions)))
		drop(client, region);
}
