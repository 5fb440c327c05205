/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/bench.h"

#include <sched.h>

static cpu_set_t all; /* empty before the first bench_place_servers() */

/* Run only on the nth of the cores that this process may use; false when there are fewer. */
static bool run_on(unsigned n)
{
	cpu_set_t one;

	for (size_t core = 0; core < CPU_SETSIZE; core++) {
		if (!CPU_ISSET(core, &all) || n--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(core, &one);
		return sched_setaffinity(0, sizeof(one), &one) == 0;
	}
	return false;
}

void bench_place_servers(enum bench_placement placement)
{
	if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof(all), &all) != 0)
		return;
	/* New processes and threads inherit the affinity. */
	if (placement != BENCH_ANYWHERE)
		run_on(placement == BENCH_ONE_CORE || CPU_COUNT(&all) < 2 ? 0 : 1);
}

void bench_place_client(enum bench_placement placement)
{
	if (placement != BENCH_ANYWHERE)
		run_on(0);
}

void bench_place_anywhere(void)
{
	if (CPU_COUNT(&all))
		sched_setaffinity(0, sizeof(all), &all);
}
