/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/call.h"
#include "client/host.h"

kern_return_t apple_dext_get_bar_info(io_connect_t connection, uint8_t bar, uint8_t *out_mem_idx,
	uint64_t *out_size, uint8_t *out_type)
{
	const uint64_t in[DEXT_IN_GetBARInfo] = { bar };
	uint64_t out[DEXT_OUT_GetBARInfo];
	kern_return_t status;

	status = dext_call(connection, GetBARInfo, in, out);
	if (status != kIOReturnSuccess)
		return status;
	if (out_mem_idx)
		*out_mem_idx = (uint8_t)out[DEXT_BAR_MEMORY_INDEX];
	if (out_size)
		*out_size = out[DEXT_BAR_SIZE];
	if (out_type)
		*out_type = (uint8_t)out[DEXT_BAR_TYPE];
	return kIOReturnSuccess;
}

kern_return_t apple_dext_map_bar(io_connect_t connection, uint8_t bar, mach_vm_address_t *out_addr,
	mach_vm_size_t *out_size, uint8_t *out_type)
{
	IOOptionBits options = kIOMapDefaultCache;
	kern_return_t status;
	uint8_t type;

	if (!out_addr || !out_size)
		return kIOReturnBadArgument;
	status = apple_dext_get_bar_info(connection, bar, NULL, NULL, &type);
	if (status != kIOReturnSuccess)
		return status;
	if (!(type & DEXT_BAR_IO) && (type & DEXT_BAR_PREFETCHABLE))
		options = kIOMapWriteCombineCache;
	status = dext_map_memory(
		connection, DEXT_MEMORY_BAR0 + (uint32_t)bar, options, out_addr, out_size);
	if (status == kIOReturnSuccess && out_type)
		*out_type = type;
	return status;
}

kern_return_t apple_dext_unmap_bar(io_connect_t connection, uint8_t bar, mach_vm_address_t addr)
{
	if (connection == IO_OBJECT_NULL || bar >= DEXT_BARS)
		return kIOReturnBadArgument;
	return IOConnectUnmapMemory64(
		connection, DEXT_MEMORY_BAR0 + (uint32_t)bar, mach_task_self(), addr);
}

kern_return_t apple_dext_mmio_read(io_connect_t connection, uint8_t mem_idx, uint64_t offset,
	uint64_t width, uint64_t *out_value)
{
	const uint64_t in[DEXT_IN_MMIORead] = { mem_idx, offset, width };

	if (!out_value)
		return kIOReturnBadArgument;
	return dext_call(connection, MMIORead, in, out_value);
}

kern_return_t apple_dext_mmio_write(
	io_connect_t connection, uint8_t mem_idx, uint64_t offset, uint64_t width, uint64_t value)
{
	const uint64_t in[DEXT_IN_MMIOWrite] = { mem_idx, offset, width, value };

	return dext_call(connection, MMIOWrite, in, NULL);
}

kern_return_t apple_dext_copy_bar_descriptor(
	io_connect_t connection, uint8_t bar, int *out_fd, uint64_t *out_offset, uint64_t *out_size)
{
	kern_return_t status;

	if (!out_fd || !out_offset || !out_size)
		return kIOReturnBadArgument;
	status = apple_dext_get_bar_info(connection, bar, NULL, NULL, NULL);
	if (status != kIOReturnSuccess)
		return status;
	return IOUserConnectCopyMemoryDescriptor(
		connection, DEXT_MEMORY_BAR0 + (uint32_t)bar, out_fd, out_offset, out_size);
}

kern_return_t apple_dext_return_bar_descriptor(io_connect_t connection, uint8_t bar)
{
	if (connection == IO_OBJECT_NULL || bar >= DEXT_BARS)
		return kIOReturnBadArgument;
	return IOUserConnectReturnMemoryDescriptor(connection, DEXT_MEMORY_BAR0 + (uint32_t)bar);
}
