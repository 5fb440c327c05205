/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/call.h"

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

kern_return_t apple_dext_config_read_block(
	io_connect_t connection, uint64_t offset, void *buf, size_t len)
{
	unsigned char *bytes = buf;

	if (connection == IO_OBJECT_NULL || !buf || offset > DEXT_CONFIG_SIZE ||
		len > DEXT_CONFIG_SIZE - offset)
		return kIOReturnBadArgument;
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
