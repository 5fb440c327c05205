/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/wait-list.h"

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
	(void)wait;
	return vu_wait_by_poll(entries, count, timeout_ms);
}
