/* SPDX-License-Identifier: BSD-3-Clause */
/* What several of the files that implement wait.h do with a list of entries. */
#ifndef VFIO_USER_WAIT_LIST_H
#define VFIO_USER_WAIT_LIST_H

#include "vfio-user/wait.h"

#include <stdbool.h>

/* Whether two entries wait for the same event of the same descriptor. */
static inline bool vu_wait_is_same(const struct vu_wait_entry *a, const struct vu_wait_entry *b)
{
	return a->fd == b->fd && (a->fd < 0 || (a->serial == b->serial && a->events == b->events));
}

/* vu_wait_for() by poll(), which needs no state. */
static inline int vu_wait_by_poll(struct vu_wait_entry *entries, size_t count, int timeout_ms)
{
	struct pollfd list[VU_WAIT_ENTRIES_MAX];
	int ready;

	for (size_t i = 0; i < count; i++)
		list[i] = (struct pollfd){ .fd = entries[i].fd, .events = entries[i].events };
	ready = poll(list, (nfds_t)count, timeout_ms);
	for (size_t i = 0; i < count && ready >= 0; i++)
		entries[i].revents = list[i].revents;
	return ready;
}

#endif
