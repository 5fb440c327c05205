/* SPDX-License-Identifier: BSD-3-Clause */
/* DMA regions one at a time, by address or by descriptor; and the DMA buffer. */
#include "client/call.h"
#include "client/host.h"

/* @out: of RegisterDMARegion or RegisterDMAFile */
static void store_first_segment(const uint64_t *out, uint64_t *bus_address, uint64_t *bus_length)
{
	if (bus_address)
		*bus_address = out[DEXT_REGION_BUS_ADDRESS];
	if (bus_length)
		*bus_length = out[DEXT_REGION_BUS_LENGTH];
}

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
	if (status == kIOReturnSuccess)
		store_first_segment(out, out_bus_addr, out_bus_len);
	return status;
}

kern_return_t apple_dext_register_dma_fd(io_connect_t connection, uint64_t iova, int fd,
	uint64_t offset, uint64_t client_va, uint64_t size, uint32_t flags, uint64_t *out_bus_addr,
	uint64_t *out_bus_len)
{
	const uint64_t in[DEXT_IN_RegisterDMAFile] = {
		[DEXT_FILE_IOVA] = iova,
		[DEXT_FILE_OFFSET] = offset,
		[DEXT_FILE_SIZE] = size,
		[DEXT_FILE_FLAGS] = flags,
	};
	uint64_t out[DEXT_OUT_RegisterDMAFile];
	uint32_t out_count = DEXT_OUT_RegisterDMAFile;
	kern_return_t status;

	if (connection == IO_OBJECT_NULL || fd < 0)
		return kIOReturnBadArgument;
	status = IOUserConnectCallDescriptors(connection, DEXT_SELECTOR_RegisterDMAFile, in,
		DEXT_IN_RegisterDMAFile, NULL, 0, out, &out_count, NULL, NULL, &fd, 1);
	if (status == kIOReturnSuccess && out_count < DEXT_OUT_RegisterDMAFile)
		return kIOReturnIPCError;
	if (status == kIOReturnUnsupported && client_va)
		return apple_dext_register_dma(
			connection, iova, client_va, size, out_bus_addr, out_bus_len);
	if (status == kIOReturnSuccess)
		store_first_segment(out, out_bus_addr, out_bus_len);
	return status;
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
