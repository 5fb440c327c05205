/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DMA_MAP and DMA_UNMAP of dext-vfio-user, with the driver in its process: one range, while 2,000
 * others of the same memfd are mapped.
 */
#include "benchmarks/bench.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE   UINT64_C(0x10000)
#define RANGES 2000u
#define IOVA   UINT64_C(0x100000000)

static int memory = -1;

/* Range n has the nth 64 KiB of the file. Range 2,000 is the one that is measured. */
static double map(unsigned range)
{
	return bench_vfio_user_dma_map(memory, IOVA + range * SIZE, range * SIZE, SIZE);
}

static double unmap(unsigned range)
{
	return bench_vfio_user_dma_unmap(IOVA + range * SIZE, SIZE);
}

/* Cases map and unmap, so that they can be repeated, but measure only one of both. */
static double do_map(void *unused)
{
	double took = map(RANGES);

	(void)unused;
	return unmap(RANGES) < 0 ? -1 : took;
}

static double do_unmap(void *unused)
{
	(void)unused;
	return map(RANGES) < 0 ? -1 : unmap(RANGES);
}

static bool begin(void)
{
	memory = memfd_create("bench", MFD_CLOEXEC);
	if (memory < 0 || ftruncate(memory, (RANGES + 1) * SIZE) != 0) {
		perror("dextpci: memfd");
		return false;
	}
	if (!bench_ping_pong_begin() ||
		!bench_vfio_user_begin("nvme,addr=01:00.0,size=1M", "mapped", NULL))
		return false;
	for (unsigned range = 0; range < RANGES; range++)
		if (map(range) < 0) {
			fprintf(stderr, "dextpci: DMA_MAP of range %u failed\n", range);
			return false;
		}
	return true;
}

static void end(void)
{
	bench_vfio_user_end();
	bench_ping_pong_end();
	if (memory >= 0)
		close(memory);
	memory = -1;
}

static const struct bench_case cases[] = {
	{ "AF_UNIX ping-pong, 32 bytes", 0, bench_ping_pong, NULL },
	{ "DMA_MAP of 64 KiB, 2,000 live", 0, do_map, NULL },
	{ "DMA_UNMAP of it", 0, do_unmap, NULL },
};

const struct bench_group bench_dma_map = {
	.name = "dma-map",
	.title = "DMA_MAP of dext-vfio-user",
	.placement = BENCH_BOTH,
	.cases = cases,
	.case_count = sizeof(cases) / sizeof(*cases),
	.burst = 50,
	.seconds = 5,
	.begin = begin,
	.end = end,
};
