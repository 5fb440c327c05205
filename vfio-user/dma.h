/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's memory, as the VMM shares it.
 *
 * A range that comes with a descriptor is mapped here and registered with the
 * driver, which reaches it through this process's descriptors: each stays open
 * as long as its range. A range without one (ROMs, video memory) is remembered
 * alone; the device cannot reach it: a device that is passed through moves its data
 * itself, so there is nothing here that could fetch it by messages.
 *
 * While the device is away, ranges come and go all the same; vu_dma_resume() registers
 * those that are there when it is back.
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
	bool told;    /* that bus addresses are not the guest's */
	bool warned;  /* that nothing is shared */
	bool refused; /* what is no memory; that has been said */
};

/**
 * vu_dma_init - no ranges
 * @limit: how many there may be at a time
 * @page_size: what addresses and sizes are multiples of; a power of two
 */
void vu_dma_init(struct vu_dma *dma, struct vu_device *device, size_t limit, uint64_t page_size);
/** vu_dma_destroy - take every range away from the device. */
void vu_dma_destroy(struct vu_dma *dma);

/**
 * vu_dma_map - add a range
 * @request: from the wire; checked here
 * @fd: the memory, or -1; taken over if it succeeds, else the caller's
 *
 * Return: 0 or an errno: EINVAL for flags, addresses or sizes that make no
 * sense, a file that ends before the range does, or one of a file system that may keep
 * whoever touches it waiting (fd_kind()); EEXIST for a range that
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

/** vu_dma_resume - register every range with the device, which is back and knows of none. */
void vu_dma_resume(struct vu_dma *dma);

/** vu_dma_expect - the guest lets its device master the bus: say so, once, if that is no use. */
void vu_dma_expect(struct vu_dma *dma);

#endif
