/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BARs that the client maps itself (VU_BARS_SHARED): which part of them, and by which
 * descriptor. It is lent for a session. At its end it is given back to the driver, which
 * then goes on with other memory: a client that keeps what it has reaches nothing.
 *
 * The driver must not have the memory lent to anybody else by then, this server included,
 * which therefore maps the BAR anew.
 *
 * Threads: the session's alone.
 */
#ifndef VFIO_USER_SHARE_H
#define VFIO_USER_SHARE_H

#include "vfio-user/device.h"

struct vu_area {
	uint64_t offset, size; /* in the BAR; whole pages */
};

struct vu_shared {
	int fd;		     /* lent by the device: not to be closed */
	uint64_t offset;     /* where in the file the BAR begins */
	struct vu_area area; /* what may be mapped: the whole BAR, or less */
};

/**
 * vu_share_area - what of a BAR may be mapped, page by page
 * @page: the size of a page
 *
 * Pages of the MSI-X table and of its pending bits are left out: these are the server's
 * (bar.h). Of what remains it is the largest part alone: of several parts clients want one
 * descriptor in all, or one for each, according to which client it is.
 *
 * Return: false when nothing remains.
 */
bool vu_share_area(
	const struct vu_device *device, uint32_t index, uint64_t page, struct vu_area *area);

/**
 * vu_share_bar - lend a BAR to the client
 * @index: 0 to 5
 *
 * Return: whether it can be: not an I/O BAR, nor one whose memory the driver does not hand
 * out or that is not made of whole pages; and only with VU_BARS_SHARED.
 */
bool vu_share_bar(struct vu_device *device, uint32_t index, struct vu_shared *shared);

/** vu_share_end - the client has gone: give back what was lent to it. Its DMA is off. */
void vu_share_end(struct vu_device *device);

#endif
