/* SPDX-License-Identifier: BSD-3-Clause */
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
