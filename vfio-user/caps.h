/* SPDX-License-Identifier: BSD-3-Clause */
/* The lists of capabilities in a device's config space. */
#ifndef VFIO_USER_CAPS_H
#define VFIO_USER_CAPS_H

#include "vfio-user/pci.h"

#include <apple-dext-client.h>

/* A capability takes four bytes at the least, so there are no more than these. */
#define VU_CAPS_MAX	((PCI_CONFIG_SIZE - PCI_FIRST_CAPABILITY) / 4)
#define VU_EXT_CAPS_MAX ((PCIE_CONFIG_SIZE - PCI_CONFIG_SIZE) / 4)

struct vu_cap {
	uint16_t id;
	uint16_t offset;
};

struct vu_caps {
	size_t count, extended_count;
	struct vu_cap list[VU_CAPS_MAX];
	struct vu_cap extended[VU_EXT_CAPS_MAX];
};

/**
 * vu_caps_read - walk both lists
 *
 * A list that runs in circles, or out of config space, ends where it does so.
 */
kern_return_t vu_caps_read(io_connect_t connection, struct vu_caps *caps);

/** vu_caps_find - offset of the first capability of that id (not an extended one), or 0. */
uint16_t vu_caps_find(const struct vu_caps *caps, uint16_t id);

#endif
