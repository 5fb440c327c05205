/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many DMA regions by few calls. A driver without a batch's selector gets a call for each region, and
 * one without descriptors, or a host's IOKit without them, gets addresses.
 */
#include "client/call.h"
#include "client/host.h"

#define REGIONS_PER_CALL (DEXT_STRUCT_MAX / sizeof(struct dext_batch_region))
#define FILES_PER_CALL	 HOST_DESCRIPTORS_MAX
#define IOVAS_PER_CALL	 (DEXT_STRUCT_MAX / sizeof(uint64_t))

_Static_assert(sizeof(AppleDextDMARequest) == sizeof(struct dext_batch_region) &&
		       sizeof(AppleDextDMAResult) == sizeof(struct dext_batch_result) &&
		       offsetof(AppleDextDMAResult, segments) ==
			       offsetof(struct dext_batch_result, segments) &&
		       offsetof(AppleDextDMAResult, bus_length) ==
			       offsetof(struct dext_batch_result, length) &&
		       sizeof(kern_return_t) == sizeof(int32_t),
	"the library's structures have the layout of the ABI");

/* As many of the remaining entries of a batch as one call takes. */
static size_t next_part(size_t left, size_t most)
{
	return left < most ? left : most;
}

/* A call failed: its status is also that of its entries and of those that follow. */
static kern_return_t fail_regions(AppleDextDMAResult *results, size_t count, kern_return_t status)
{
	for (size_t i = 0; i < count; i++)
		results[i] = (AppleDextDMAResult){ .status = status };
	return status;
}

static kern_return_t register_one_by_one(io_connect_t connection,
	const AppleDextDMARequest *requests, size_t count, AppleDextDMAResult *results)
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
	return kIOReturnSuccess;
}

kern_return_t apple_dext_register_dma_batch(io_connect_t connection,
	const AppleDextDMARequest *requests, size_t count, AppleDextDMAResult *results)
{
	if (connection == IO_OBJECT_NULL || (count && (!requests || !results)))
		return kIOReturnBadArgument;
	for (size_t done = 0, part; done < count; done += part) {
		size_t size;
		kern_return_t status;

		part = next_part(count - done, REGIONS_PER_CALL);
		size = part * sizeof(results[0]);
		status = IOConnectCallStructMethod(connection, DEXT_SELECTOR_RegisterDMABatch,
			requests + done, part * sizeof(requests[0]), results + done, &size);
		if (status == kIOReturnUnsupported)
			return register_one_by_one(
				connection, requests + done, count - done, results + done);
		if (status == kIOReturnSuccess && size != part * sizeof(results[0]))
			status = kIOReturnIPCError;
		if (status != kIOReturnSuccess)
			return fail_regions(results + done, count - done, status);
	}
	return kIOReturnSuccess;
}

/* Register @count regions, at most FILES_PER_CALL, by one call. */
static kern_return_t register_files(io_connect_t connection, const AppleDextDMAFile *files,
	size_t count, AppleDextDMAResult *results)
{
	struct dext_batch_file entries[FILES_PER_CALL];
	int fds[FILES_PER_CALL];
	size_t size = count * sizeof(results[0]);
	kern_return_t status;

	for (size_t i = 0; i < count; i++) {
		fds[i] = files[i].fd;
		entries[i] = (struct dext_batch_file){
			.iova = files[i].iova,
			.offset = files[i].offset,
			.size = files[i].size,
			.flags = files[i].flags,
		};
	}
	status = IOUserConnectCallDescriptors(connection, DEXT_SELECTOR_RegisterDMAFileBatch, NULL,
		0, entries, count * sizeof(entries[0]), NULL, NULL, results, &size, fds,
		(uint32_t)count);
	if (status == kIOReturnSuccess && size != count * sizeof(results[0]))
		return kIOReturnIPCError;
	return status;
}

/* Likewise by address. A region that is not mapped in this process gets kIOReturnUnsupported. */
static kern_return_t register_by_address(io_connect_t connection, const AppleDextDMAFile *files,
	size_t count, AppleDextDMAResult *results)
{
	AppleDextDMARequest requests[FILES_PER_CALL];
	kern_return_t status;

	for (size_t i = 0; i < count; i++)
		requests[i] = (AppleDextDMARequest){
			.iova = files[i].iova,
			.client_va = files[i].client_va,
			.size = files[i].size,
		};
	status = apple_dext_register_dma_batch(connection, requests, count, results);
	for (size_t i = 0; i < count; i++)
		if (!files[i].client_va && status == kIOReturnSuccess)
			results[i].status = kIOReturnUnsupported;
	return status;
}

kern_return_t apple_dext_register_dma_fd_batch(io_connect_t connection,
	const AppleDextDMAFile *files, size_t count, AppleDextDMAResult *results)
{
	bool by_address = false;

	if (connection == IO_OBJECT_NULL || (count && (!files || !results)))
		return kIOReturnBadArgument;
	for (size_t done = 0, part; done < count; done += part) {
		kern_return_t status = kIOReturnUnsupported;

		part = next_part(count - done, FILES_PER_CALL);
		if (!by_address)
			status = register_files(connection, files + done, part, results + done);
		by_address = status == kIOReturnUnsupported;
		if (by_address)
			status =
				register_by_address(connection, files + done, part, results + done);
		if (status != kIOReturnSuccess)
			return fail_regions(results + done, count - done, status);
	}
	return kIOReturnSuccess;
}

static kern_return_t unregister_one_by_one(
	io_connect_t connection, const uint64_t *iovas, size_t count, kern_return_t *statuses)
{
	for (size_t i = 0; i < count; i++) {
		kern_return_t status = apple_dext_unregister_dma(connection, iovas[i]);

		if (statuses)
			statuses[i] = status;
	}
	return kIOReturnSuccess;
}

kern_return_t apple_dext_unregister_dma_batch(
	io_connect_t connection, const uint64_t *iovas, size_t count, kern_return_t *statuses)
{
	kern_return_t unused[IOVAS_PER_CALL];

	if (connection == IO_OBJECT_NULL || (count && !iovas))
		return kIOReturnBadArgument;
	for (size_t done = 0, part; done < count; done += part) {
		kern_return_t *results = statuses ? statuses + done : unused;
		size_t size;
		kern_return_t status;

		part = next_part(count - done, IOVAS_PER_CALL);
		size = part * sizeof(results[0]);
		status = IOConnectCallStructMethod(connection, DEXT_SELECTOR_UnregisterDMABatch,
			iovas + done, part * sizeof(iovas[0]), results, &size);
		if (status == kIOReturnUnsupported)
			return unregister_one_by_one(
				connection, iovas + done, count - done, statuses ? results : NULL);
		if (status == kIOReturnSuccess && size != part * sizeof(results[0]))
			status = kIOReturnIPCError;
		for (size_t i = 0; status != kIOReturnSuccess && statuses && i < count - done; i++)
			results[i] = status;
		if (status != kIOReturnSuccess)
			return status;
	}
	return kIOReturnSuccess;
}
