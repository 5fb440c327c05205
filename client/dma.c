/* SPDX-License-Identifier: BSD-3-Clause */
/* DMA regions: one at a time, with all their segments, in batches; and the DMA buffer. */
#include "client/call.h"

#define REGIONS_PER_CALL (DEXT_STRUCT_MAX / sizeof(struct dext_batch_region))
#define IOVAS_PER_CALL	 (DEXT_STRUCT_MAX / sizeof(uint64_t))

_Static_assert(sizeof(AppleDextSegment) == sizeof(struct dext_segment) &&
		       sizeof(AppleDextDMARequest) == sizeof(struct dext_batch_region),
	"the library's structures have the layout of the ABI");

kern_return_t apple_dext_register_dma(io_connect_t connection, uint64_t iova, uint64_t client_va,
	uint64_t size, uint64_t *out_bus_addr, uint64_t *out_bus_len)
{
	const uint64_t in[DEXT_IN_RegisterDMARegion] = {
		[DEXT_REGION_IOVA] = iova,
		[DEXT_REGION_VA] = client_va,
		[DEXT_REGION_SIZE] = size,
	};
	uint64_t out[DEXT_OUT_RegisterDMARegion];
	kern_return_t status;

	status = dext_call(connection, RegisterDMARegion, in, out);
	if (status != kIOReturnSuccess)
		return status;
	if (out_bus_addr)
		*out_bus_addr = out[DEXT_REGION_BUS_ADDRESS];
	if (out_bus_len)
		*out_bus_len = out[DEXT_REGION_BUS_LENGTH];
	return kIOReturnSuccess;
}

kern_return_t apple_dext_unregister_dma(io_connect_t connection, uint64_t iova)
{
	return dext_call(connection, UnregisterDMARegion, &iova, NULL);
}

kern_return_t apple_dext_probe_dma(
	io_connect_t connection, uint64_t iova, uint64_t offset, uint64_t *out_word)
{
	const uint64_t in[DEXT_IN_ProbeDMARegion] = { iova, offset };

	if (!out_word)
		return kIOReturnBadArgument;
	return dext_call(connection, ProbeDMARegion, in, out_word);
}

/* Get segments, beginning with number @first: as many as one call returns. */
static kern_return_t get_segments(io_connect_t connection, uint64_t iova, uint64_t first,
	AppleDextSegment *segments, size_t room, uint64_t *total, size_t *got)
{
	const uint64_t in[DEXT_IN_GetDMASegments] = { iova, first };
	uint64_t out[DEXT_OUT_GetDMASegments] = { 0 };
	uint32_t out_count = DEXT_OUT_GetDMASegments;
	size_t most = DEXT_STRUCT_MAX / sizeof(*segments);
	size_t bytes = (room < most ? room : most) * sizeof(*segments);
	kern_return_t status;

	status = IOConnectCallMethod(connection, DEXT_SELECTOR_GetDMASegments, in,
		DEXT_IN_GetDMASegments, NULL, 0, out, &out_count, segments, &bytes);
	if (status == kIOReturnSuccess && out_count < DEXT_OUT_GetDMASegments)
		return kIOReturnIPCError;
	*total = out[0];
	*got = bytes / sizeof(*segments);
	return status;
}

/* Get all segments of a registered region; kIOReturnOverrun when @segments is too small. */
static kern_return_t get_all_segments(
	io_connect_t connection, uint64_t iova, AppleDextSegment *segments, size_t *count)
{
	size_t room = *count, received = 0, got;
	uint64_t total;
	kern_return_t status;

	do {
		status = get_segments(connection, iova, received, segments + received,
			room - received, &total, &got);
		if (status != kIOReturnSuccess)
			return status;
		*count = (size_t)total;
		if (total > room)
			return kIOReturnOverrun;
		received += got;
	} while (received < total && got);
	return received == total ? kIOReturnSuccess : kIOReturnIPCError;
}

/* Undo register_pieces() of what lies before @end. */
static kern_return_t unregister_pieces(io_connect_t connection, uint64_t iova, uint64_t end)
{
	kern_return_t first = kIOReturnSuccess;

	for (uint64_t offset = 0; offset < end; offset += DEXT_CHUNK_MAX) {
		kern_return_t status = apple_dext_unregister_dma(connection, iova + offset);

		if (first == kIOReturnSuccess)
			first = status;
	}
	return first;
}

/* For a driver without GetDMASegments: register one region for each segment. */
static kern_return_t register_pieces(io_connect_t connection, uint64_t iova, uint64_t va,
	uint64_t size, AppleDextSegment *segments, size_t *count)
{
	uint64_t pieces = size / DEXT_CHUNK_MAX + (size % DEXT_CHUNK_MAX != 0);
	size_t room = *count;
	kern_return_t status;

	*count = (size_t)pieces;
	if (pieces > room)
		return kIOReturnOverrun;
	for (uint64_t offset = 0; offset < size; offset += DEXT_CHUNK_MAX) {
		uint64_t left = size - offset;

		status = apple_dext_register_dma(connection, iova + offset, va + offset,
			left < DEXT_CHUNK_MAX ? left : DEXT_CHUNK_MAX, &segments->bus_address,
			&segments->length);
		if (status != kIOReturnSuccess) {
			unregister_pieces(connection, iova, offset);
			return status;
		}
		segments++;
	}
	return kIOReturnSuccess;
}

/* Whether the driver implements GetDMASegments. The region need not exist for the answer. */
static bool has_segment_selector(io_connect_t connection, uint64_t iova)
{
	uint64_t total;
	size_t got;

	return get_segments(connection, iova, 0, NULL, 0, &total, &got) != kIOReturnUnsupported;
}

kern_return_t apple_dext_register_dma_segments(io_connect_t connection, uint64_t iova,
	uint64_t client_va, uint64_t size, AppleDextSegment *segments, size_t *count)
{
	kern_return_t status;

	if (!segments || !count)
		return kIOReturnBadArgument;
	if (connection != IO_OBJECT_NULL && !has_segment_selector(connection, iova))
		return register_pieces(connection, iova, client_va, size, segments, count);
	status = apple_dext_register_dma(connection, iova, client_va, size, NULL, NULL);
	if (status != kIOReturnSuccess)
		return status;
	status = get_all_segments(connection, iova, segments, count);
	if (status != kIOReturnSuccess)
		apple_dext_unregister_dma(connection, iova);
	return status;
}

kern_return_t apple_dext_unregister_dma_segments(
	io_connect_t connection, uint64_t iova, uint64_t size)
{
	if (connection != IO_OBJECT_NULL && !has_segment_selector(connection, iova))
		return unregister_pieces(connection, iova, size);
	return apple_dext_unregister_dma(connection, iova);
}

void dext_batch_results(kern_return_t status, const struct dext_batch_result *got, size_t count,
	AppleDextDMAResult *results)
{
	for (size_t i = 0; i < count; i++)
		results[i] = status != kIOReturnSuccess ? (AppleDextDMAResult){ .status = status } :
							  (AppleDextDMAResult){
								  .status = got[i].status,
								  .segments = got[i].segments,
								  .bus_address = got[i].bus_address,
								  .bus_length = got[i].length,
							  };
}

/* Register @count regions, at most REGIONS_PER_CALL, by one call. */
static kern_return_t register_one_call(io_connect_t connection, const AppleDextDMARequest *requests,
	size_t count, AppleDextDMAResult *results)
{
	struct dext_batch_result got[REGIONS_PER_CALL];
	size_t bytes = count * sizeof(got[0]);
	kern_return_t status;

	status = IOConnectCallStructMethod(connection, DEXT_SELECTOR_RegisterDMABatch, requests,
		count * sizeof(*requests), got, &bytes);
	if (status == kIOReturnSuccess && bytes != count * sizeof(got[0]))
		status = kIOReturnIPCError;
	dext_batch_results(status, got, count, results);
	return status;
}

static void register_one_by_one(io_connect_t connection, const AppleDextDMARequest *requests,
	size_t count, AppleDextDMAResult *results)
{
	for (size_t i = 0; i < count; i++) {
		results[i] = (AppleDextDMAResult){ .segments = 0 };
		results[i].status =
			apple_dext_register_dma(connection, requests[i].iova, requests[i].client_va,
				requests[i].size, &results[i].bus_address, &results[i].bus_length);
		if (results[i].status == kIOReturnSuccess)
			results[i].segments =
				(uint32_t)((requests[i].size - 1) / DEXT_CHUNK_MAX + 1);
	}
}

kern_return_t apple_dext_register_dma_batch(io_connect_t connection,
	const AppleDextDMARequest *requests, size_t count, AppleDextDMAResult *results)
{
	kern_return_t status = kIOReturnSuccess;

	if (connection == IO_OBJECT_NULL || (count && (!requests || !results)))
		return kIOReturnBadArgument;
	for (size_t done = 0, some; done < count; done += some) {
		some = count - done < REGIONS_PER_CALL ? count - done : REGIONS_PER_CALL;
		if (status == kIOReturnSuccess)
			status = register_one_call(
				connection, requests + done, some, results + done);
		if (status == kIOReturnUnsupported) {
			register_one_by_one(
				connection, requests + done, count - done, results + done);
			return kIOReturnSuccess;
		}
		for (size_t i = 0; status != kIOReturnSuccess && i < some; i++)
			results[done + i] = (AppleDextDMAResult){ .status = status };
	}
	return status;
}

static kern_return_t unregister_one_call(
	io_connect_t connection, const uint64_t *iovas, size_t count, kern_return_t *statuses)
{
	int32_t got[IOVAS_PER_CALL];
	size_t bytes = count * sizeof(got[0]);
	kern_return_t status;

	status = IOConnectCallStructMethod(connection, DEXT_SELECTOR_UnregisterDMABatch, iovas,
		count * sizeof(*iovas), got, &bytes);
	if (status == kIOReturnSuccess && bytes != count * sizeof(got[0]))
		return kIOReturnIPCError;
	for (size_t i = 0; i < count && statuses && status == kIOReturnSuccess; i++)
		statuses[i] = got[i];
	return status;
}

static void unregister_one_by_one(
	io_connect_t connection, const uint64_t *iovas, size_t count, kern_return_t *statuses)
{
	for (size_t i = 0; i < count; i++) {
		kern_return_t status = apple_dext_unregister_dma(connection, iovas[i]);

		if (statuses)
			statuses[i] = status;
	}
}

kern_return_t apple_dext_unregister_dma_batch(
	io_connect_t connection, const uint64_t *iovas, size_t count, kern_return_t *statuses)
{
	kern_return_t status = kIOReturnSuccess;

	if (connection == IO_OBJECT_NULL || (count && !iovas))
		return kIOReturnBadArgument;
	for (size_t done = 0, some; done < count; done += some) {
		kern_return_t *to = statuses ? statuses + done : NULL;

		some = count - done < IOVAS_PER_CALL ? count - done : IOVAS_PER_CALL;
		if (status == kIOReturnSuccess)
			status = unregister_one_call(connection, iovas + done, some, to);
		if (status == kIOReturnUnsupported) {
			unregister_one_by_one(connection, iovas + done, count - done, to);
			return kIOReturnSuccess;
		}
		for (size_t i = 0; status != kIOReturnSuccess && to && i < some; i++)
			to[i] = status;
	}
	return status;
}

kern_return_t apple_dext_allocate_dma_buffer(
	io_connect_t connection, uint64_t size, uint64_t alignment, AppleDextDMABuffer *out_buffer)
{
	const uint64_t in[DEXT_IN_AllocateDMABuffer] = { size, alignment };
	uint64_t out[DEXT_OUT_AllocateDMABuffer];
	AppleDextDMABuffer buffer;
	kern_return_t status;

	if (!out_buffer)
		return kIOReturnBadArgument;
	status = dext_call(connection, AllocateDMABuffer, in, out);
	if (status != kIOReturnSuccess)
		return status;
	status = dext_map_memory(connection, DEXT_MEMORY_DMA_BUFFER, kIOMapDefaultCache,
		&buffer.address, &buffer.size);
	if (status != kIOReturnSuccess) {
		dext_call(connection, FreeDMABuffer, NULL, NULL);
		return status;
	}
	buffer.bus_address = out[DEXT_BUFFER_ADDRESS];
	buffer.bus_length = out[DEXT_BUFFER_LENGTH];
	buffer.segments = (uint32_t)out[DEXT_BUFFER_SEGMENTS];
	buffer.flags = (uint32_t)out[DEXT_BUFFER_FLAGS];
	*out_buffer = buffer;
	return kIOReturnSuccess;
}

kern_return_t apple_dext_free_dma_buffer(io_connect_t connection, AppleDextDMABuffer *buffer)
{
	kern_return_t status;

	if (!buffer)
		return kIOReturnBadArgument;
	/* First: to unmap memory, IOKit asks the driver for it again. */
	if (connection != IO_OBJECT_NULL && buffer->address)
		IOConnectUnmapMemory64(
			connection, DEXT_MEMORY_DMA_BUFFER, mach_task_self(), buffer->address);
	status = dext_call(connection, FreeDMABuffer, NULL, NULL);
	buffer->address = 0;
	return status;
}
