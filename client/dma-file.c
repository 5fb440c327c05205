/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DMA regions that are registered by descriptors, and by address where the driver or the host's
 * IOKit takes no descriptors.
 */
#include "client/call.h"

#ifdef __has_include
#if __has_include(<iokit-user/client.h>)
#include <iokit-user/client.h>
#endif
#endif

#define FILES_PER_CALL 32 /* as many descriptors as a call can have */

#ifdef IOKIT_USER_CALL_DESCRIPTORS

static kern_return_t call_one(io_connect_t connection, const uint64_t *in, int fd, uint64_t *out)
{
	uint32_t count = DEXT_OUT_RegisterDMAFile;
	kern_return_t status =
		IOUserConnectCallDescriptors(connection, DEXT_SELECTOR_RegisterDMAFile, in,
			DEXT_IN_RegisterDMAFile, NULL, 0, out, &count, NULL, NULL, &fd, 1);

	if (status == kIOReturnSuccess && count < DEXT_OUT_RegisterDMAFile)
		return kIOReturnIPCError;
	return status;
}

static kern_return_t call_batch(io_connect_t connection, const struct dext_batch_file *entries,
	const int *fds, size_t count, struct dext_batch_result *results)
{
	size_t size = count * sizeof(results[0]);
	kern_return_t status = IOUserConnectCallDescriptors(connection,
		DEXT_SELECTOR_RegisterDMAFileBatch, NULL, 0, entries, count * sizeof(entries[0]),
		NULL, NULL, results, &size, fds, (uint32_t)count);

	if (status == kIOReturnSuccess && size != count * sizeof(results[0]))
		return kIOReturnIPCError;
	return status;
}

#else

static kern_return_t call_one(io_connect_t connection, const uint64_t *in, int fd, uint64_t *out)
{
	(void)connection, (void)in, (void)fd, (void)out;
	return kIOReturnUnsupported;
}

static kern_return_t call_batch(io_connect_t connection, const struct dext_batch_file *entries,
	const int *fds, size_t count, struct dext_batch_result *results)
{
	(void)connection, (void)entries, (void)fds, (void)count, (void)results;
	return kIOReturnUnsupported;
}

#endif

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
	kern_return_t status;

	if (connection == IO_OBJECT_NULL || fd < 0)
		return kIOReturnBadArgument;
	status = call_one(connection, in, fd, out);
	if (status == kIOReturnUnsupported && client_va)
		return apple_dext_register_dma(
			connection, iova, client_va, size, out_bus_addr, out_bus_len);
	if (status != kIOReturnSuccess)
		return status;
	if (out_bus_addr)
		*out_bus_addr = out[DEXT_REGION_BUS_ADDRESS];
	if (out_bus_len)
		*out_bus_len = out[DEXT_REGION_BUS_LENGTH];
	return kIOReturnSuccess;
}

/* Register @count regions, at most FILES_PER_CALL, by one call. */
static kern_return_t register_one_call(io_connect_t connection, const AppleDextDMAFile *files,
	size_t count, AppleDextDMAResult *results)
{
	struct dext_batch_file entries[FILES_PER_CALL];
	struct dext_batch_result got[FILES_PER_CALL];
	int fds[FILES_PER_CALL];
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
	status = call_batch(connection, entries, fds, count, got);
	dext_batch_results(status, got, count, results);
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
	kern_return_t status = kIOReturnSuccess;
	bool by_address = false;

	if (connection == IO_OBJECT_NULL || (count && (!files || !results)))
		return kIOReturnBadArgument;
	for (size_t done = 0, some; done < count; done += some) {
		some = count - done < FILES_PER_CALL ? count - done : FILES_PER_CALL;
		if (status == kIOReturnSuccess && !by_address) {
			status = register_one_call(connection, files + done, some, results + done);
			by_address = status == kIOReturnUnsupported;
		}
		if (by_address)
			status =
				register_by_address(connection, files + done, some, results + done);
		for (size_t i = 0; status != kIOReturnSuccess && i < some; i++)
			results[done + i] = (AppleDextDMAResult){ .status = status };
	}
	return status;
}
