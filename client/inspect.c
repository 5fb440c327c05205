/* SPDX-License-Identifier: BSD-3-Clause */
/* Extension selectors for inspection (limits, regions, clients, trace) and for software devices. */
#include "client/call.h"

#include <stdlib.h>
#include <string.h>

kern_return_t apple_dext_get_dma_limits(io_connect_t connection, AppleDextDMALimits *out_limits)
{
	uint64_t out[DEXT_OUT_GetDMALimits];
	kern_return_t status;

	if (!out_limits)
		return kIOReturnBadArgument;
	status = dext_call(connection, GetDMALimits, NULL, out);
	if (status != kIOReturnSuccess)
		return status;
	*out_limits = (AppleDextDMALimits){
		.kind = (uint32_t)out[DEXT_LIMITS_KIND],
		.bytes = out[DEXT_LIMITS_BYTES],
		.maps = out[DEXT_LIMITS_MAPS],
		.bytes_used = out[DEXT_LIMITS_BYTES_USED],
		.maps_used = out[DEXT_LIMITS_MAPS_USED],
	};
	return kIOReturnSuccess;
}

/* Get a list of @size-byte entries by as many calls as it needs. *entries is for free(). */
static kern_return_t get_list(io_connect_t connection, uint32_t selector, size_t size,
	unsigned char **entries, size_t *count)
{
	unsigned char page[DEXT_STRUCT_MAX], *larger;
	uint64_t first = 0, total;

	*entries = NULL;
	*count = 0;
	do {
		uint32_t out_count = 1;
		size_t bytes = sizeof(page);
		kern_return_t status = IOConnectCallMethod(
			connection, selector, &first, 1, NULL, 0, &total, &out_count, page, &bytes);

		if (status == kIOReturnSuccess && (out_count < 1 || bytes % size))
			status = kIOReturnIPCError;
		larger = status == kIOReturnSuccess ? realloc(*entries, *count * size + bytes + 1) :
						      NULL;
		if (!larger) {
			free(*entries);
			*entries = NULL;
			return status == kIOReturnSuccess ? kIOReturnNoMemory : status;
		}
		*entries = larger;
		memcpy(larger + *count * size, page, bytes);
		*count += bytes / size;
		first = *count;
		if (!bytes)
			break; /* entries have been removed since the first call */
	} while (first < total);
	return kIOReturnSuccess;
}

kern_return_t apple_dext_copy_dma_regions(
	io_connect_t connection, AppleDextRegionInfo **out_regions, size_t *out_count)
{
	unsigned char *entries;
	kern_return_t status;

	_Static_assert(sizeof(AppleDextRegionInfo) == sizeof(struct dext_region_info),
		"AppleDextRegionInfo has the layout of the ABI");
	if (connection == IO_OBJECT_NULL || !out_regions || !out_count)
		return kIOReturnBadArgument;
	status = get_list(connection, DEXT_SELECTOR_GetDMARegions, sizeof(struct dext_region_info),
		&entries, out_count);
	if (status == kIOReturnSuccess)
		*out_regions = (AppleDextRegionInfo *)(void *)entries;
	return status;
}

kern_return_t apple_dext_copy_clients(
	io_connect_t connection, AppleDextClientInfo **out_clients, size_t *out_count)
{
	AppleDextClientInfo *clients;
	unsigned char *entries;
	kern_return_t status;
	size_t count;

	if (connection == IO_OBJECT_NULL || !out_clients || !out_count)
		return kIOReturnBadArgument;
	status = get_list(connection, DEXT_SELECTOR_GetClients, sizeof(struct dext_client_info),
		&entries, &count);
	if (status != kIOReturnSuccess)
		return status;
	clients = calloc(count + 1, sizeof(*clients));
	for (size_t i = 0; clients && i < count; i++) {
		const struct dext_client_info *info =
			&((struct dext_client_info *)(void *)entries)[i];

		clients[i] = (AppleDextClientInfo){
			.client = info->client,
			.pid = info->pid,
			.claimed = info->flags & DEXT_CLIENT_CLAIMED,
			.exclusive = info->flags & DEXT_CLIENT_EXCLUSIVE,
			.takes_interrupts = info->flags & DEXT_CLIENT_INTERRUPTS,
			.is_caller = info->flags & DEXT_CLIENT_CALLER,
			.regions = info->regions,
			.bytes_wired = info->bytes_wired,
			.calls = info->calls,
			.interrupts = info->interrupts,
		};
	}
	free(entries);
	if (!clients)
		return kIOReturnNoMemory;
	*out_clients = clients;
	*out_count = count;
	return kIOReturnSuccess;
}

kern_return_t apple_dext_map_trace(io_connect_t connection, mach_vm_address_t *out_address)
{
	mach_vm_size_t size;
	kern_return_t status;

	if (connection == IO_OBJECT_NULL || !out_address)
		return kIOReturnBadArgument;
	status = dext_map_memory(
		connection, DEXT_MEMORY_TRACE, kIOMapDefaultCache, out_address, &size);
	if (status == kIOReturnSuccess && size < sizeof(struct dext_trace)) {
		apple_dext_unmap_trace(connection, *out_address);
		status = kIOReturnIPCError;
	}
	return status;
}

kern_return_t apple_dext_unmap_trace(io_connect_t connection, mach_vm_address_t address)
{
	if (connection == IO_OBJECT_NULL)
		return kIOReturnBadArgument;
	return IOConnectUnmapMemory64(connection, DEXT_MEMORY_TRACE, mach_task_self(), address);
}

kern_return_t apple_dext_trigger_interrupt(io_connect_t connection, uint32_t vector)
{
	const uint64_t in[DEXT_IN_TriggerInterrupt] = { vector };

	return dext_call(connection, TriggerInterrupt, in, NULL);
}

kern_return_t apple_dext_remove_device(io_connect_t connection)
{
	return dext_call(connection, RemoveDevice, NULL, NULL);
}
