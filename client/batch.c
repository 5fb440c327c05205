/* SPDX-License-Identifier: BSD-3-Clause */
/* Many DMA regions in few calls; one by one where the driver knows no batches. */
#include "client/call.h"

#define REGISTER_MOST	(DEXT_STRUCT_MAX / sizeof(struct dext_batch_region))
#define UNREGISTER_MOST (DEXT_STRUCT_MAX / sizeof(uint64_t))

/* One call: @count entries, at most REGISTER_MOST. */
static kern_return_t register_some(io_connect_t connection, const AppleDextDMARequest *requests,
	size_t count, AppleDextDMAResult *results)
{
	struct dext_batch_result got[REGISTER_MOST];
	size_t bytes = count * sizeof(got[0]);
	kern_return_t status;

	status = IOConnectCallStructMethod(connection, DEXT_SELECTOR_RegisterDMABatch, requests,
		count * sizeof(*requests), got, &bytes);
	if (status != kIOReturnSuccess)
		return status;
	if (bytes != count * sizeof(got[0]))
		return kIOReturnIPCError;
	for (size_t i = 0; i < count; i++)
		results[i] = (AppleDextDMAResult){
			.status = got[i].status,
			.segments = got[i].segments,
			.bus_address = got[i].bus_address,
			.bus_length = got[i].length,
		};
	return kIOReturnSuccess;
}

static void register_singly(io_connect_t connection, const AppleDextDMARequest *requests,
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
		some = count - done < REGISTER_MOST ? count - done : REGISTER_MOST;
		if (status == kIOReturnSuccess)
			status = register_some(connection, requests + done, some, results + done);
		if (status == kIOReturnUnsupported) {
			register_singly(connection, requests + done, count - done, results + done);
			return kIOReturnSuccess;
		}
		for (size_t i = 0; status != kIOReturnSuccess && i < some; i++)
			results[done + i] = (AppleDextDMAResult){ .status = status };
	}
	return status;
}

static kern_return_t unregister_some(
	io_connect_t connection, const uint64_t *iovas, size_t count, kern_return_t *statuses)
{
	int32_t got[UNREGISTER_MOST];
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

static void unregister_singly(
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

		some = count - done < UNREGISTER_MOST ? count - done : UNREGISTER_MOST;
		if (status == kIOReturnSuccess)
			status = unregister_some(connection, iovas + done, some, to);
		if (status == kIOReturnUnsupported) {
			unregister_singly(connection, iovas + done, count - done, to);
			return kIOReturnSuccess;
		}
		for (size_t i = 0; status != kIOReturnSuccess && to && i < some; i++)
			to[i] = status;
	}
	return status;
}
