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

/*
 * Sharing (VU_BARS_SHARED): the client maps BARs itself, by descriptors that it gets for one
 * session. At its end they are returned to the driver, which replaces the memory behind the BARs,
 * so that mappings that a client has kept no longer reach the device. The driver requires that
 * nobody has the memory mapped at that moment, so this server unmaps the BAR and maps it again.
 */
struct vu_mmap_area {
	uint64_t offset, size; /* in the BAR; whole pages */
};

struct vu_shared_bar {
	int fd;			  /* owned by the device: not to be closed */
	uint64_t offset;	  /* where in the file the BAR begins */
	struct vu_mmap_area area; /* what may be mapped: the whole BAR, or less */
};

/**
 * vu_bar_mmap_area - what of a BAR may be mapped, page by page
 * @page: the size of a page
 *
 * Pages of the MSI-X table and of its pending bits are left out: these are the server's
 * (bar.h). Of what remains it is the largest part alone: of several parts clients want one
 * descriptor in all, or one for each, according to which client it is.
 *
 * Return: false when nothing remains.
 */
bool vu_bar_mmap_area(
	const struct vu_device *device, uint32_t index, uint64_t page, struct vu_mmap_area *area);

/**
 * vu_bar_share - lend a BAR to the client
 * @index: 0 to 5
 *
 * Return: whether it can be: not an I/O BAR, nor one whose memory the driver does not hand
 * out or that is not made of whole pages; and only with VU_BARS_SHARED.
 */
bool vu_bar_share(struct vu_device *device, uint32_t index, struct vu_shared_bar *shared);

/**
 * vu_bar_unshare_all - after the client has disconnected: unmap and map the BARs that it may have
 * mapped, which replaces their memory
 *
 * Its DMA must have ended.
 */
void vu_bar_unshare_all(struct vu_device *device);

#endif
