/* SPDX-License-Identifier: BSD-3-Clause */
/* Extension selectors for DMA: all segments of a region, many regions in one call. */
#include "driver/internal.h"

#include <string.h>

_Static_assert(sizeof(struct dext_segment) == sizeof(struct dma_segment),
	"the provider's segments are copied to the client unchanged");

kern_return_t dext_handle_GetDMASegments(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dma_region *region = dext_find_region(client, in[0]);
	size_t room = arguments->structure_output_room / sizeof(struct dext_segment), chunks, count;

	if (!region)
		return kIOReturnNotFound;
	chunks = dext_region_chunks(region);
	if (in[1] > chunks)
		return kIOReturnOverrun;
	count = chunks - (size_t)in[1];
	if (count > room)
		count = room;
	arguments->structure_output_size = count * sizeof(struct dext_segment);
	if (count)
		memcpy(arguments->structure_output, &region->segments[in[1]],
			arguments->structure_output_size);
	out[0] = chunks;
	out[1] = count;
	return kIOReturnSuccess;
}

/*
 * Count the entries of a batch. kIOReturnBadArgument: the input is empty or not a whole number
 * of entries, or the results do not fit.
 */
static kern_return_t check_batch(
	const struct iouser_arguments *arguments, size_t entry, size_t result, size_t *count)
{
	*count = arguments->structure_input_size / entry;
	if (!*count || arguments->structure_input_size % entry ||
		arguments->structure_output_room < *count * result)
		return kIOReturnBadArgument;
	return kIOReturnSuccess;
}

/*
 * Register the memory of an entry unless its @status is an error, and append the result to the
 * output, in which check_batch() has found room.
 */
static void register_entry(struct dext_client *client, uint64_t iova,
	const struct region_memory *memory, kern_return_t status,
	struct iouser_arguments *arguments)
{
	struct dext_batch_result result = { .segments = 0 };
	struct dma_region *region;

	if (status == kIOReturnSuccess)
		status = dext_register_region(client, iova, memory, &region);
	result.status = status;
	if (status == kIOReturnSuccess) {
		result.segments = dext_region_chunks(region);
		result.bus_address = region->segments[0].bus_address;
		result.length = region->segments[0].length;
	}
	memcpy((char *)arguments->structure_output + arguments->structure_output_size, &result,
		sizeof(result));
	arguments->structure_output_size += sizeof(result);
}

kern_return_t dext_handle_RegisterDMABatch(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	const char *entries = arguments->structure_input;
	size_t count;
	kern_return_t status = check_batch(arguments, sizeof(struct dext_batch_region),
		sizeof(struct dext_batch_result), &count);

	(void)in, (void)out;
	if (status != kIOReturnSuccess)
		return status;
	for (size_t i = 0; i < count; i++) {
		struct dext_batch_region entry;
		struct region_memory memory = { .fd = -1 };

		memcpy(&entry, entries + i * sizeof(entry), sizeof(entry));
		memory.size = entry.size;
		memory.va = entry.va;
		register_entry(client, entry.iova, &memory, kIOReturnSuccess, arguments);
	}
	return kIOReturnSuccess;
}

kern_return_t dext_handle_RegisterDMAFileBatch(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	const char *entries = arguments->structure_input;
	size_t count;
	kern_return_t status = check_batch(arguments, sizeof(struct dext_batch_file),
		sizeof(struct dext_batch_result), &count);

	(void)in, (void)out;
	if (status != kIOReturnSuccess)
		return status;
	for (size_t i = 0; i < count; i++) {
		struct dext_batch_file entry;
		struct region_memory memory = { .size = 0 };

		memcpy(&entry, entries + i * sizeof(entry), sizeof(entry));
		status = dext_file_memory(
			arguments, i, entry.offset, entry.size, entry.flags, &memory);
		register_entry(client, entry.iova, &memory, status, arguments);
	}
	return kIOReturnSuccess;
}

kern_return_t dext_handle_UnregisterDMABatch(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	const unsigned char *entries = arguments->structure_input;
	unsigned char *results = arguments->structure_output;
	size_t count;
	kern_return_t status = check_batch(arguments, sizeof(uint64_t), sizeof(int32_t), &count);

	(void)in, (void)out;
	if (status != kIOReturnSuccess)
		return status;
	for (size_t i = 0; i < count; i++) {
		int32_t result;
		uint64_t iova;

		memcpy(&iova, entries + i * sizeof(iova), sizeof(iova));
		result = dext_unregister_region(client, iova);
		memcpy(results + i * sizeof(result), &result, sizeof(result));
	}
	arguments->structure_output_size = count * sizeof(int32_t);
	return kIOReturnSuccess;
}
