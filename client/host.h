/* SPDX-License-Identifier: BSD-3-Clause */
/* What iokit-user has beyond IOKit. On a host with Apple's IOKit, nothing of it is supported. */
#ifndef CLIENT_HOST_H
#define CLIENT_HOST_H

#include <apple-dext-client.h>

#ifdef __has_include
#if __has_include(<iokit-user/client.h>)
#include <iokit-user/client.h>
#endif
#endif

#define HOST_DESCRIPTORS_MAX 32u /* in one IOUserConnectCallDescriptors() */

#ifndef IOKIT_USER_MEMORY_DESCRIPTORS
static inline kern_return_t IOUserConnectCopyMemoryDescriptor(io_connect_t connect,
	uint32_t memory_type, int *out_fd, uint64_t *out_offset, uint64_t *out_size)
{
	(void)connect, (void)memory_type, (void)out_fd, (void)out_offset, (void)out_size;
	return kIOReturnUnsupported;
}

static inline kern_return_t IOUserConnectReturnMemoryDescriptor(
	io_connect_t connect, uint32_t memory_type)
{
	(void)connect, (void)memory_type;
	return kIOReturnUnsupported;
}
#endif

#ifndef IOKIT_USER_CALL_DESCRIPTORS
static inline kern_return_t IOUserConnectCallDescriptors(io_connect_t connect, uint32_t selector,
	const uint64_t *input, uint32_t input_count, const void *input_struct,
	size_t input_struct_size, uint64_t *output, uint32_t *output_count, void *output_struct,
	size_t *output_struct_size, const int *descriptors, uint32_t descriptor_count)
{
	(void)connect, (void)selector, (void)input, (void)input_count, (void)input_struct;
	(void)input_struct_size, (void)output, (void)output_count, (void)output_struct;
	(void)output_struct_size, (void)descriptors, (void)descriptor_count;
	return kIOReturnUnsupported;
}
#endif

#ifndef IOKIT_USER_SERVICE_STATUS
static inline kern_return_t IOUserServiceStatus(const char **why)
{
	*why = "";
	return kIOReturnSuccess;
}
#endif

#endif
