/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/caps.h"

#include <stdbool.h>
#include <string.h>

static kern_return_t read_list(io_connect_t connection, struct vu_caps *caps)
{
	bool seen[PCI_CFG_SPACE_SIZE / 4] = { false };
	uint64_t value;
	kern_return_t result = apple_dext_config_read(connection, PCI_STATUS, 2, &value);

	if (result != kIOReturnSuccess || (value & PCI_STATUS_CAP_LIST) == 0)
		return result;
	result = apple_dext_config_read(connection, PCI_CAPABILITY_LIST, 1, &value);
	while (result == kIOReturnSuccess) {
		uint16_t at = value & 0xfc;

		if (at < PCI_STD_HEADER_SIZEOF || seen[at / 4])
			break;
		seen[at / 4] = true;
		result = apple_dext_config_read(connection, at, 2, &value);
		if (result != kIOReturnSuccess || (value & 0xff) == 0xff)
			break;
		caps->list[caps->count++] = (struct vu_cap){ .id = value & 0xff, .offset = at };
		value >>= 8;
	}
	return result;
}

static kern_return_t read_extended_list(io_connect_t connection, struct vu_caps *caps)
{
	bool seen[PCI_CFG_SPACE_EXP_SIZE / 4] = { false };
	uint16_t at = PCI_CFG_SPACE_SIZE;
	kern_return_t result = kIOReturnSuccess;

	while (at >= PCI_CFG_SPACE_SIZE && !seen[at / 4]) {
		uint64_t value;

		seen[at / 4] = true;
		result = apple_dext_config_read(connection, at, 4, &value);
		if (result != kIOReturnSuccess || value == 0 || value == 0xffffffff)
			break;
		caps->extended[caps->extended_count++] =
			(struct vu_cap){ .id = value & 0xffff, .offset = at };
		at = (value >> 20) & 0xffc;
	}
	return result;
}

kern_return_t vu_caps_read(io_connect_t connection, struct vu_caps *caps)
{
	kern_return_t result;

	memset(caps, 0, sizeof(*caps));
	result = read_list(connection, caps);
	if (result != kIOReturnSuccess || vu_caps_find(caps, PCI_CAP_ID_EXP) == 0)
		return result;
	return read_extended_list(connection, caps);
}

uint16_t vu_caps_find(const struct vu_caps *caps, uint16_t id)
{
	for (size_t i = 0; i < caps->count; i++)
		if (caps->list[i].id == id)
			return caps->list[i].offset;
	return 0;
}
