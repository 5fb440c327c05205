/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls to the driver, with the counts of scalars from the ABI table. */
#ifndef CLIENT_CALL_H
#define CLIENT_CALL_H

#include <apple-dext-client.h>
#include <dext-abi.h>

/*
 * Call selector DEXT_SELECTOR_<name>. @in and @out are arrays of DEXT_IN_<name> and
 * DEXT_OUT_<name> scalars, NULL for 0. kIOReturnIPCError when the driver returns fewer.
 */
#define dext_call(connection, name, in, out)                                                       \
	dext_call_scalars(                                                                         \
		connection, DEXT_SELECTOR_##name, in, DEXT_IN_##name, out, DEXT_OUT_##name)

/*
 * Map memory of the driver. After a failure, which IOKit reports as kIOReturnBadArgument whatever
 * the reason is, the driver is asked for the reason.
 */
kern_return_t dext_map_memory(io_connect_t connection, uint32_t memory_type, IOOptionBits options,
	mach_vm_address_t *address, mach_vm_size_t *size);

kern_return_t dext_call_scalars(io_connect_t connection, uint32_t selector, const uint64_t *in,
	uint32_t in_count, uint64_t *out, uint32_t out_count);

#endif
