/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/wait.h"

#include <stdlib.h>

/* poll() has no state. */
struct vu_wait {
	char nothing;
};

struct vu_wait *vu_wait_create(void)
{
	return calloc(1, sizeof(struct vu_wait));
}

void vu_wait_destroy(struct vu_wait *wait)
{
	free(wait);
}

int vu_wait_for(struct vu_wait *wait, struct vu_wait_entry *entries, size_t count, int timeout_ms)
{
	struct pollfd list[VU_WAIT_ENTRIES_MAX];
	int ready;

	(void)wait;
	for (size_t i = 0; i < count; i++)
		list[i] = (struct pollfd){ .fd = entries[i].fd, .events = entries[i].events };
	ready = poll(list, (nfds_t)count, timeout_ms);
	for (size_t i = 0; i < count && ready >= 0; i++)
		entries[i].revents = list[i].revents;
	return ready;
}
