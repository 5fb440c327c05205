/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/limits.h"

#include <sys/resource.h>
#ifdef __linux__
#include <malloc.h>
#endif

/* More than any process here can use. */
#define DESCRIPTORS_USEFUL ((rlim_t)1 << 20)
/* glibc's default is 8 for each CPU. */
#define ARENAS_MAX 2

void limits_set(void)
{
	struct rlimit limit;
	rlim_t wanted;

#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, ARENAS_MAX);
#endif
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	wanted = limit.rlim_max < DESCRIPTORS_USEFUL ? limit.rlim_max : DESCRIPTORS_USEFUL;
	if (limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
}
