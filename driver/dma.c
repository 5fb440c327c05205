/* SPDX-License-Identifier: BSD-3-Clause */
/* DMA regions: keyed by iova, cut into chunks that the IOMMU maps as one segment each. */
#include "driver/dma-span.h"
#include "driver/internal.h"

#include <stdlib.h>
#include <uthash.h>

struct dma_region {
	UT_hash_handle hh;
	uint64_t iova, size;
	struct iouser_task_memory *memory;
	unsigned chunks;	/* how many are mapped */
	struct dma_segment segments[];
};

static struct dma_region *find(struct dext_client *client, uint64_t iova)
{
	struct dma_region *region;

	HASH_FIND(hh, client->regions, &iova, sizeof(iova), region);
	return region;
}

/* The spans of [offset, offset + length) of a client's memory: how many; at most memory->count. */
static size_t cut_spans(const struct iouser_task_memory *memory, uint64_t offset, uint64_t length,
	struct dma_span *spans)
{
	size_t count = 0;

	for (size_t i = 0; i < memory->count && length; i++) {
		const struct iouser_segment *segment = &memory->segments[i];
		uint64_t part;

		if (offset >= segment->length) {
			offset -= segment->length;
			continue;
		}
		part = segment->length - offset < length ? segment->length - offset : length;
		spans[count++] = (struct dma_span){
			.length = part,
			.host = segment->host ? (char *)segment->host + offset : NULL,
			.pid = segment->pid,
			.va = segment->va + offset,
			.writable = segment->writable,
		};
		length -= part;
		offset = 0;
	}
	return count;
}

/* Take the region's chunks and memory back. */
static void undo(struct dext_client *client, struct dma_region *region)
{
	struct pci_provider *provider = client->driver->provider;

	while (region->chunks)
		provider->ops->dma_unmap(provider, &region->segments[--region->chunks]);
	iouser_task_memory_release(client->peer, region->memory);
	free(region);
}

static kern_return_t map_chunk(struct dext_client *client, struct dma_region *region,
	uint64_t offset, uint64_t length, struct dma_span *spans)
{
	struct pci_provider *provider = client->driver->provider;
	struct dma_segment *segment = &region->segments[region->chunks];
	struct dma_request request = {
		.iova = region->iova + offset,
		.length = length,
		.spans = spans,
		.span_count = cut_spans(region->memory, offset, length, spans),
	};
	kern_return_t status = provider->ops->dma_map(provider, &request, segment);

	if (status != kIOReturnSuccess)
		return status;
	region->chunks++;
	return segment->length == length ? kIOReturnSuccess : kIOReturnNotAligned;
}

static kern_return_t map_chunks(struct dext_client *client, struct dma_region *region)
{
	struct dma_span *spans = calloc(region->memory->count, sizeof(*spans));
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

static kern_return_t region_create(
	struct dext_client *client, const uint64_t *in, struct dma_region **created)
{
	uint64_t size = in[DEXT_REGION_SIZE];
	uint64_t chunks = size / DEXT_CHUNK_MAX + (size % DEXT_CHUNK_MAX != 0);
	struct dma_region *region;
	kern_return_t status;

	if (chunks > DEXT_CHUNKS_MAX)
		return kIOReturnNoSpace;
	region = calloc(1, sizeof(*region) + chunks * sizeof(region->segments[0]));
	if (!region)
		return kIOReturnNoMemory;
	region->iova = in[DEXT_REGION_IOVA];
	region->size = size;
	status = iouser_copy_task_memory(client->peer, in[DEXT_REGION_VA], size, &region->memory);
	if (status == kIOReturnSuccess)
		status = map_chunks(client, region);
	if (status != kIOReturnSuccess) {
		undo(client, region);
		return status;
	}
	*created = region;
	return kIOReturnSuccess;
}

kern_return_t dext_handle_RegisterDMARegion(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dma_region *region;
	kern_return_t status;

	(void)arguments;
	if (!in[DEXT_REGION_SIZE] || !in[DEXT_REGION_VA])
		return kIOReturnBadArgument;
	if (find(client, in[DEXT_REGION_IOVA]))
		return kIOReturnStillOpen;
	if (HASH_COUNT(client->regions) >= DEXT_REGIONS_MAX)
		return kIOReturnNoSpace;
	status = region_create(client, in, &region);
	if (status != kIOReturnSuccess)
		return status;
	HASH_ADD(hh, client->regions, iova, sizeof(region->iova), region);
	atomic_fetch_add(&client->driver->region_count, 1);
	atomic_fetch_add(&client->driver->bytes_wired, region->size);
	out[DEXT_REGION_SEGMENTS] = region->chunks;
	out[DEXT_REGION_BUS_ADDRESS] = region->segments[0].bus_address;
	out[DEXT_REGION_BUS_LENGTH] = region->segments[0].length;
	return kIOReturnSuccess;
}

static void drop(struct dext_client *client, struct dma_region *region)
{
	HASH_DEL(client->regions, region);
	atomic_fetch_sub(&client->driver->region_count, 1);
	atomic_fetch_sub(&client->driver->bytes_wired, region->size);
	undo(client, region);
}

kern_return_t dext_handle_UnregisterDMARegion(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dma_region *region = find(client, in[0]);

	(void)out, (void)arguments;
	if (!region)
		return kIOReturnNotFound;
	drop(client, region);
	return kIOReturnSuccess;
}

void dext_drop_regions(struct dext_client *client)
{
	struct dma_region *region, *next;

	HASH_ITER (hh, client->regions, region, next)
		drop(client, region);
}

kern_return_t dext_handle_ProbeDMARegion(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dma_region *region = find(client, in[0]);
	struct dma_span spans[8];	/* of eight bytes at the most */
	size_t count;

	(void)arguments;
	if (!region)
		return kIOReturnNotFound;
	if (region->size < 8 || in[1] > region->size - 8)
		return kIOReturnOverrun;
	count = cut_spans(region->memory, in[1], 8, spans);
	return dma_spans_read(spans, count, 0, out, 8) ? kIOReturnSuccess : kIOReturnDMAError;
}
