/* SPDX-License-Identifier: BSD-3-Clause */
/* The descriptors behind BARs, on hosts whose IOKit has such a thing. */
#include "client/call.h"

#ifdef __has_include
#if __has_include(<iokit-user/client.h>)
#include <iokit-user/client.h>
#endif
#endif

#ifdef IOKIT_USER_MEMORY_DESCRIPTORS

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

#else

kern_return_t apple_dext_copy_bar_descriptor(
	io_connect_t connection, uint8_t bar, int *out_fd, uint64_t *out_offset, uint64_t *out_size)
{
	(void)connection, (void)bar, (void)out_fd, (void)out_offset, (void)out_size;
	return kIOReturnUnsupported;
}

kern_return_t apple_dext_return_bar_descriptor(io_connect_t connection, uint8_t bar)
{
	(void)connection, (void)bar;
	return kIOReturnUnsupported;
}

#endif
