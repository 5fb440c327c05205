/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/internal.h"
#include "driver/pci-regs.h"

/* A list can hold this many capabilities before one must stand there twice. */
#define CAPABILITIES_MAX ((256 - 64) / 4)

unsigned dext_find_capability(struct pci_provider *provider, uint8_t id)
{
	uint32_t status, header, position;

	if (provider->ops->config_read(provider, PCI_STATUS, 2, &status) != kIOReturnSuccess ||
		!(status & PCI_STATUS_CAP_LIST) ||
		provider->ops->config_read(provider, PCI_CAPABILITY_LIST, 1, &position) !=
			kIOReturnSuccess)
		return 0;
	for (unsigned i = 0; i < CAPABILITIES_MAX; i++) {
		position &= ~3u;
		if (position < 0x40 || provider->ops->config_read(provider, position, 4, &header) !=
					       kIOReturnSuccess)
			return 0;
		if ((header & 0xff) == id)
			return position;
		position = header >> 8 & 0xff;
	}
	return 0;
}
