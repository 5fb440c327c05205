/* SPDX-License-Identifier: BSD-3-Clause */
/* What a device's config space says about it and does not change while it is in use. */
#ifndef VFIO_USER_PCI_INFO_H
#define VFIO_USER_PCI_INFO_H

#include "common/pci-regs.h"

#include <apple-dext-client.h>

/* A capability takes at least four bytes. */
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

/* Location of the MSI-X table and of the pending bit array. */
struct vu_msix {
	uint32_t vectors; /* 0: no MSI-X */
	uint32_t table_bar, pending_bar;
	uint32_t table_offset, pending_offset;
};

/* Two of them are compared with memcmp(): there is no padding. */
struct vu_pci_info {
	struct vu_caps caps;
	struct vu_msix msix;
	uint32_t ids, class, subsystem;
	uint32_t msi_vectors;	/* 0: no MSI */
	uint32_t interrupt_pin; /* 0: no INTx */
	uint32_t config_size;	/* PCI_CFG_SPACE_SIZE or PCI_CFG_SPACE_EXP_SIZE */
};

/**
 * vu_pci_info_read - read identity, capability lists, MSI and MSI-X from config space
 *
 * A capability list that loops, or points outside config space, ends there.
 */
kern_return_t vu_pci_info_read(io_connect_t connection, struct vu_pci_info *info);

#endif
