/* SPDX-License-Identifier: BSD-3-Clause */
/* Mapping memory of the driver, and the reason why it cannot be mapped. */
#include "client/call.h"

kern_return_t apple_dext_get_memory_status(
	io_connect_t connection, uint32_t memory_type, kern_return_t *out_status)
{
	const uint64_t in[DEXT_IN_GetMemoryStatus] = { memory_type };
	uint64_t out[DEXT_OUT_GetMemoryStatus];
	kern_return_t status;

	if (!out_status)
		return kIOReturnBadArgument;
	status = dext_call(connection, GetMemoryStatus, in, out);
	if (status == kIOReturnSuccess)
		*out_status = (kern_return_t)(uint32_t)out[0];
	return status;
}

kern_return_t dext_map_memory(io_connect_t connection, uint32_t memory_type, IOOptionBits options,
	mach_vm_address_t *address, mach_vm_size_t *size)
{
	kern_return_t status, reason;

	status = IOConnectMapMemory64(
		connection, memory_type, mach_task_self(), address, size, kIOMapAnywhere | options);
	if (status != kIOReturnBadArgument)
		return status;
	status = apple_dext_get_memory_status(connection, memory_type, &reason);
	/* Without the selector the reason stays unknown, and extensions have no memory either. */
	if (status == kIOReturnUnsupported && memory_type < DEXT_MEMORY_TYPES)
		return kIOReturnBadArgument;
	if (status != kIOReturnSuccess)
		return status;
	/* It is not the driver who refuses. */
	return reason == kIOReturnSuccess ? kIOReturnVMError : reason;
}
