/* SPDX-License-Identifier: BSD-3-Clause */
/* The lists of capabilities in a device's config space. */
#ifndef VFIO_USER_CAPS_H
#define VFIO_USER_CAPS_H

#include "common/pci-regs.h"

#include <apple-dext-client.h>

/* A capability takes four bytes at the least, so there are no more than these. */
#define VU_CAPS_MAX	((PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / 4)
#define VU_EXT_CAPS_MAX ((PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 4)

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
