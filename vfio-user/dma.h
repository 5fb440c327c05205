/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory that the VMM shares.
 *
 * A range with a descriptor is registered with the driver, which takes the descriptor. It stays open
 * as long as the range, which is registered again after an outage. If the driver takes addresses
 * only, the range is mapped into this process.
 * A range without one (ROMs, video memory) is recorded only, and the device cannot access it: a
 * passed-through device does its own DMA, so nothing here could use DMA_READ and DMA_WRITE.
 *
 * Ranges can also be added and removed while the device is disconnected;
 * vu_dma_register_all() registers them when it is back.
 *
 * Threads: the session's alone.
 */
#ifndef VFIO_USER_DMA_H
#define VFIO_USER_DMA_H

#include "vfio-user/device.h"

struct vu_dma_range;

struct vu_dma {
	struct vu_device *device;
	struct vu_dma_range **ranges; /* in order of address, none overlaps another */
	size_t count, room;
	size_t limit;
	uint64_t page_size;
	/* Messages that are logged once. */
	bool logged_translation; /* bus addresses differ from the guest's */
	bool logged_unshared;	 /* no memory is shared */
	bool logged_file_kind;	 /* a descriptor that is not memory */
};

/**
 * vu_dma_init - no ranges
 * @limit: maximum number of ranges
 * @page_size: alignment of addresses and sizes; a power of two
 */
void vu_dma_init(struct vu_dma *dma, struct vu_device *device, size_t limit, uint64_t page_size);
/** vu_dma_destroy - remove every range. */
void vu_dma_destroy(struct vu_dma *dma);

/**
 * vu_dma_map - add a range
 * @request: from the wire; checked here
 * @fd: the memory, or -1; ownership passes to this function if it succeeds
 *
 * Return: 0 or an errno: EINVAL for flags, addresses or sizes that make no
 * sense, a file that ends before the range does, or one of a file system that may block
 * accesses to its memory (fd_kind()); EEXIST for a range that
 * overlaps another; ENOSPC past the limit; EACCES when the descriptor does not
 * allow what the flags ask for; else what mmap() or the driver says.
 */
int vu_dma_map(struct vu_dma *dma, const struct vfio_user_dma_map *request, int fd);

/**
 * vu_dma_unmap - remove one range, or all
 *
 * When it returns the device does not touch the memory any more.
 *
 * Return: 0 or an errno: ENOENT for an address where no range begins, EINVAL
 * for another size than the range's, or flags that make no sense; ENOTSUP for
 * dirty pages.
 */
int vu_dma_unmap(struct vu_dma *dma, const struct vfio_user_dma_unmap *request);

/** vu_dma_register_all - register every range, after the device was reopened. */
void vu_dma_register_all(struct vu_dma *dma);

/** vu_dma_warn_if_unshared - bus mastering was enabled: log, once, if no memory is shared. */
void vu_dma_warn_if_unshared(struct vu_dma *dma);

#endif
