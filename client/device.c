/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls without state of their own: claim, config space, reset, status. */
#include "client/call.h"

kern_return_t dext_call_scalars(io_connect_t connection, uint32_t selector, const uint64_t *in,
	uint32_t in_count, uint64_t *out, uint32_t out_count)
{
	uint32_t count = out_count;
	kern_return_t status;

	if (connection == IO_OBJECT_NULL)
		return kIOReturnBadArgument;
	status = IOConnectCallScalarMethod(
		connection, selector, in, in_count, out, out_count ? &count : NULL);
	if (status == kIOReturnSuccess && count < out_count)
		return kIOReturnIPCError;
	return status;
}

kern_return_t apple_dext_claim(io_connect_t connection)
{
	return dext_call(connection, Claim, NULL, NULL);
}

kern_return_t apple_dext_claim_exclusive(io_connect_t connection)
{
	kern_return_t status = dext_call(connection, ClaimExclusive, NULL, NULL);

	return status == kIOReturnUnsupported ? apple_dext_claim(connection) : status;
}

kern_return_t apple_dext_terminate(io_connect_t connection)
{
	return dext_call(connection, Terminate, NULL, NULL);
}

kern_return_t apple_dext_reset_device(io_connect_t connection)
{
	return dext_call(connection, ResetDevice, NULL, NULL);
}

kern_return_t apple_dext_get_status(io_connect_t connection, AppleDextStatus *out_status)
{
	uint64_t out[DEXT_OUT_GetStatus];
	kern_return_t status;

	if (!out_status)
		return kIOReturnBadArgument;
	status = dext_call(connection, GetStatus, NULL, out);
	if (status != kIOReturnSuccess)
		return status;
	*out_status = (AppleDextStatus){
		.claims = (uint32_t)out[DEXT_STATUS_CLAIMS],
		.clients = (uint32_t)out[DEXT_STATUS_CLIENTS],
		.claimed_by_caller = out[DEXT_STATUS_FLAGS] & DEXT_STATUS_CLAIMED_BY_CALLER,
		.claimed_exclusive = out[DEXT_STATUS_FLAGS] & DEXT_STATUS_CLAIMED_EXCLUSIVE,
		.polls_bars = out[DEXT_STATUS_FLAGS] & DEXT_STATUS_POLLS_BARS,
		.interrupt_vectors = (uint32_t)out[DEXT_STATUS_VECTORS],
		.interrupt_kind = (uint32_t)out[DEXT_STATUS_INTERRUPT_KIND],
		.dma_regions = (uint32_t)out[DEXT_STATUS_REGIONS],
		.dma_bytes = out[DEXT_STATUS_BYTES_WIRED],
		.dma_faults = out[DEXT_STATUS_DMA_FAULTS],
		.resets = out[DEXT_STATUS_RESETS],
	};
	return kIOReturnSuccess;
}

kern_return_t apple_dext_config_read(
	io_connect_t connection, uint64_t offset, uint64_t width, uint64_t *out_value)
{
	const uint64_t in[DEXT_IN_ConfigRead] = { offset, width };

	if (!out_value)
		return kIOReturnBadArgument;
	return dext_call(connection, ConfigRead, in, out_value);
}

kern_return_t apple_dext_config_write(
	io_connect_t connection, uint64_t offset, uint64_t width, uint64_t value)
{
	const uint64_t in[DEXT_IN_ConfigWrite] = { offset, width, value };

	return dext_call(connection, ConfigWrite, in, NULL);
}

/* All of a block by one call; kIOReturnUnsupported by a driver without ConfigReadBlock. */
static kern_return_t read_by_one_call(
	io_connect_t connection, uint64_t offset, void *buf, size_t len)
{
	const uint64_t in[DEXT_IN_ConfigReadBlock] = { offset, len };
	size_t size = len;
	kern_return_t status = IOConnectCallMethod(connection, DEXT_SELECTOR_ConfigReadBlock, in,
		DEXT_IN_ConfigReadBlock, NULL, 0, NULL, NULL, buf, &size);

	return status == kIOReturnSuccess && size != len ? kIOReturnIPCError : status;
}

kern_return_t apple_dext_config_read_block(
	io_connect_t connection, uint64_t offset, void *buf, size_t len)
{
	unsigned char *bytes = buf;

	if (connection == IO_OBJECT_NULL || !buf || offset > DEXT_CONFIG_SIZE ||
		len > DEXT_CONFIG_SIZE - offset)
		return kIOReturnBadArgument;
	if (len > 4) {
		kern_return_t status = read_by_one_call(connection, offset, buf, len);

		if (status != kIOReturnUnsupported)
			return status;
	}
	while (len) {
		uint64_t width = offset % 4 == 0 && len >= 4 ? 4 : 1;
		kern_return_t status;
		uint64_t value;

		status = apple_dext_config_read(connection, offset, width, &value);
		if (status != kIOReturnSuccess)
			return status;
		for (uint64_t i = 0; i < width; i++) /* config space is little-endian */
			*bytes++ = (unsigned char)(value >> (8 * i));
		offset += width;
		len -= width;
	}
	return kIOReturnSuccess;
}
