/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions of the client's side that Apple's IOKit does not have. A portable program uses them
 * where the macros below are defined.
 */
#ifndef IOKIT_USER_CLIENT_H
#define IOKIT_USER_CLIENT_H

#include <IOKit/IOKitLib.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Defined where the next two functions exist. */
#define IOKIT_USER_MEMORY_DESCRIPTORS 1

/**
 * IOUserConnectCopyMemoryDescriptor - get a descriptor of the driver's memory
 * @connect: the connection
 * @memory_type: as for IOConnectMapMemory64()
 * @out_fd: set to a new descriptor, to be mapped with MAP_SHARED or sent to another process;
 *	close-on-exec; the caller closes it
 * @out_offset: set to the offset of the memory in the file, in bytes
 * @out_size: set to its size in bytes
 *
 * The driver counts the memory as mapped until IOUserConnectReturnMemoryDescriptor() is called or
 * the connection ends; closing @out_fd is not enough. After that the driver may replace the
 * memory: existing mappings of the descriptor then stay in place, without a device.
 *
 * Threads: any.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for a NULL pointer or an unknown
 * connection; kIOReturnNotPermitted for memory that is read-only for clients, and in another
 * process than that of the connection; kIOReturnVMError for memory that cannot be mapped;
 * kIOReturnNoMemory; kIOReturnNoResources; else the driver's status, as IOConnectMapMemory64().
 */
kern_return_t IOUserConnectCopyMemoryDescriptor(io_connect_t connect, uint32_t memory_type,
	int *out_fd, uint64_t *out_offset, uint64_t *out_size);

/**
 * IOUserConnectReturnMemoryDescriptor - end one use of IOUserConnectCopyMemoryDescriptor()
 * @connect: the connection
 * @memory_type: as given to it
 *
 * Call it once for each copy. The driver processes it before the connection's next call.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument when no copy is outstanding.
 */
kern_return_t IOUserConnectReturnMemoryDescriptor(io_connect_t connect, uint32_t memory_type);

/* Defined where IOUserConnectCallDescriptors() exists. */
#define IOKIT_USER_CALL_DESCRIPTORS 1

/**
 * IOUserConnectCallDescriptors - IOConnectCallMethod() with descriptors for the driver
 * @connect: the connection
 * @selector: as IOConnectCallMethod(), also the arguments up to @output_struct_size
 * @descriptors: passed to the driver with the call; the caller keeps them, and may close them when
 *	the call has returned
 * @descriptor_count: at most 32
 *
 * Threads: any.
 *
 * Return: as IOConnectCallMethod(); kIOReturnUnsupported, without a call, for a driver service that
 * takes no descriptors; kIOReturnBadArgument also for too many descriptors or one that is not open;
 * kIOReturnNoResources when the service has no room for them.
 */
kern_return_t IOUserConnectCallDescriptors(io_connect_t connect, uint32_t selector,
	const uint64_t *input, uint32_t input_count, const void *input_struct,
	size_t input_struct_size, uint64_t *output, uint32_t *output_count, void *output_struct,
	size_t *output_struct_size, const int *descriptors, uint32_t descriptor_count);

/* Defined where IOUserServiceStatus() exists. */
#define IOKIT_USER_SERVICE_STATUS 1

/**
 * IOUserServiceStatus - get the result of this thread's last connection to the driver service
 * @why: NULL, or set to one line without a newline, with the path of the socket and the
 *	system's error; "" for success. Valid until the thread connects again.
 *
 * IOServiceGetMatchingServices() finds nothing where it cannot connect to the service, as IOKit
 * would. This function distinguishes that from a service without devices.
 *
 * Threads: any; the status is per thread.
 *
 * Return: kIOReturnSuccess, also when the thread has never tried, or the process publishes
 * services itself; kIOReturnNotAttached without a service; kIOReturnNotPermitted when the file
 * system or the service refuses this user; kIOReturnNoResources for too many connections or open
 * descriptors; kIOReturnBadArgument when the path of the socket is too long;
 * kIOReturnUnsupported for another version of the protocol; kIOReturnTimeout when the service
 * does not answer; kIOReturnNoMemory.
 */
kern_return_t IOUserServiceStatus(const char **why);

#ifdef __cplusplus
}
#endif
#endif
