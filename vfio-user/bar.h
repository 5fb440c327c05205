/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Access to BARs.
 *
 * The device's MSI-X table belongs to the host, which has its own addresses in
 * it. The VMM gets a table of its own instead, in memory, and the pending bits
 * beside it are read-only.
 *
 * Threads: the session's alone.
 */
#ifndef VFIO_USER_BAR_H
#define VFIO_USER_BAR_H

#include "vfio-user/device.h"

struct vu_bar_space {
	struct vu_device *device;
	unsigned char *msix_table; /* the VMM's; NULL without MSI-X */
	size_t msix_size;
};

/** vu_bar_space_init - BARs that no VMM has touched. Return: an errno or 0. */
int vu_bar_space_init(struct vu_bar_space *space, struct vu_device *device);
void vu_bar_space_destroy(struct vu_bar_space *space);

/**
 * vu_bar_read - read a stretch of a BAR
 * @index: 0 to 5
 * @offset: with @count within the BAR
 * @command: of config space: a BAR whose kind of space is off answers with ones
 *
 * Aligned pieces of at most 8 bytes, from the beginning on; each of them is one
 * access of the device.
 *
 * Return: an errno or 0.
 */
int vu_bar_read(struct vu_bar_space *space, uint32_t index, uint64_t offset, uint8_t *data,
	size_t count, uint16_t command);
/** vu_bar_write - write a stretch, likewise; a BAR whose kind of space is off takes nothing. */
int vu_bar_write(struct vu_bar_space *space, uint32_t index, uint64_t offset, const uint8_t *data,
	size_t count, uint16_t command);

#endif
