/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's side of the runtime, where it has more than IOKit: what a program uses that
 * may do without on a host with IOKit of its own.
 */
#ifndef IOKIT_USER_CLIENT_H
#define IOKIT_USER_CLIENT_H

#include <IOKit/IOKitLib.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Says at compile time that the two below are there. */
#define IOKIT_USER_MEMORY_DESCRIPTORS 1

/**
 * IOUserConnectCopyMemoryDescriptor - the descriptor behind memory of the driver's
 * @connect: the connection
 * @memory_type: which memory, as for IOConnectMapMemory64()
 * @out_fd: set to a descriptor of the caller's own, to be mapped shared or handed to
 *	another process; closed on exec; the caller closes it
 * @out_offset: set to where in the file the memory begins, in bytes
 * @out_size: set to its size in bytes
 *
 * For the driver the memory is mapped from here on, until the descriptor is given back
 * with IOUserConnectReturnMemoryDescriptor() or the connection ends; after that a driver
 * may leave the memory, and what is still mapped of it, to whoever has it, and go on with
 * other memory. Closing @out_fd alone gives nothing back.
 *
 * Threads: any.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for a NULL or what is no connection;
 * kIOReturnNotPermitted for memory that clients may only read, and in another process than
 * the connection's; kIOReturnVMError for memory that cannot be mapped; kIOReturnNoMemory,
 * kIOReturnNoResources; else what the driver answers, as for IOConnectMapMemory64().
 */
kern_return_t IOUserConnectCopyMemoryDescriptor(io_connect_t connect, uint32_t memory_type,
	int *out_fd, uint64_t *out_offset, uint64_t *out_size);

/**
 * IOUserConnectReturnMemoryDescriptor - give one descriptor of that memory back
 *
 * Once for each that was copied. The driver hears of it before the connection's next call.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument when there is none that was copied.
 */
kern_return_t IOUserConnectReturnMemoryDescriptor(io_connect_t connect, uint32_t memory_type);

/* Says at compile time that the one below is there. */
#define IOKIT_USER_SERVICE_STATUS 1

/**
 * IOUserServiceStatus - whether this thread reached the driver service when it last tried
 * @why: NULL, or set to one line without a newline, with the path of the socket and the
 *	system's error; "" for success. The thread's own, valid until it tries again.
 *
 * IOServiceGetMatchingServices() finds nothing where no service is reached, as IOKit would;
 * this tells that apart from a service that has nothing.
 *
 * Threads: any; each has a status of its own.
 *
 * Return: kIOReturnSuccess, also when it never tried or publishes services itself;
 * kIOReturnNotAttached: there is no service; kIOReturnNotPermitted: the system or the
 * service does not let this user in; kIOReturnNoResources: too many connections or open
 * descriptors; kIOReturnBadArgument: the path of the socket is too long;
 * kIOReturnUnsupported: it speaks another version of the protocol; kIOReturnTimeout: it does
 * not answer; kIOReturnNoMemory.
 */
kern_return_t IOUserServiceStatus(const char **why);

#ifdef __cplusplus
}
#endif
#endif
