/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/call.h"

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
		.interrupt_vectors = (uint32_t)out[DEXT_STATUS_VECTORS],
		.interrupt_kind = (uint32_t)out[DEXT_STATUS_INTERRUPT_KIND],
		.dma_regions = (uint32_t)out[DEXT_STATUS_REGIONS],
		.dma_bytes = out[DEXT_STATUS_BYTES_WIRED],
		.dma_faults = out[DEXT_STATUS_DMA_FAULTS],
		.resets = out[DEXT_STATUS_RESETS],
	};
	return kIOReturnSuccess;
}
