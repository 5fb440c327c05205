/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/pci-capability.h"

#include "common/pci-regs.h"

/* A longer list has a loop. */
#define CAPABILITIES_MAX ((PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / 4)

unsigned pci_find_capability(pci_config_reader *read, void *device, uint8_t id)
{
	uint32_t status, header, position;

	if (!read(device, PCI_STATUS, 2, &status) || !(status & PCI_STATUS_CAP_LIST) ||
		!read(device, PCI_CAPABILITY_LIST, 1, &position))
		return 0;
	for (unsigned i = 0; i < CAPABILITIES_MAX; i++) {
		position &= ~3u;
		if (position < PCI_STD_HEADER_SIZEOF || !read(device, position, 4, &header))
			return 0;
		if ((header & 0xff) == id)
			return position;
		position = header >> 8 & 0xff;
	}
	return 0;
}
