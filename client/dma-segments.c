/* SPDX-License-Identifier: BSD-3-Clause */
/* DMA regions with all their segments. */
#include "client/call.h"

_Static_assert(sizeof(AppleDextSegment) == sizeof(struct dext_segment),
	"AppleDextSegment has the layout of the ABI");

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
