/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many DMA regions: one client has 1,023 of them on one device, another client 65,535 on
 * another device. An additional one is registered, probed and unregistered.
 */
#include "benchmarks/bench.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE  4096u
#define IOVA  UINT64_C(0x100000000)
#define BYTES ((size_t)DEXT_REGIONS_MAX * PAGE)

struct side {
	uint8_t bus;
	unsigned regions; /* with the additional one */
	io_connect_t connection;
};

static struct rig rig;
static struct side few = { .bus = 1, .regions = 1024 };
static struct side many = { .bus = 2, .regions = DEXT_REGIONS_MAX };
static unsigned char *memory = MAP_FAILED;
static int memory_fd = -1;

enum { FIGURE_BYTES, FIGURE_FILL, FIGURES };
static struct bench_figure figures[FIGURES] = {
	[FIGURE_BYTES] = { "memory of dextd per region, of 65,535", "bytes", 0 },
	[FIGURE_FILL] = { "registering 65,535 regions, per region", "us", 0 },
};

/* Page n of the file is at page n of the IOVAs: adjacent regions are adjacent in the file, too. */
static kern_return_t register_page(const struct side *side, unsigned page)
{
	return apple_dext_register_dma(side->connection, IOVA + (uint64_t)page * PAGE,
		(uintptr_t)memory + (size_t)page * PAGE, PAGE, NULL, NULL);
}

/* Register by descriptor, and unregister. */
static double register_fd_unregister(void *context)
{
	const struct side *side = context;
	uint64_t offset = (uint64_t)(side->regions - 1) * PAGE;
	double began = bench_now();

	return apple_dext_register_dma_fd(side->connection, IOVA + offset, memory_fd, offset, 0,
		       PAGE, DEXT_DMA_DEVICE_READS | DEXT_DMA_DEVICE_WRITES, NULL,
		       NULL) == kIOReturnSuccess &&
			       apple_dext_unregister_dma(side->connection, IOVA + offset) ==
				       kIOReturnSuccess ?
		       bench_now() - began :
		       -1;
}

static double do_register(void *context)
{
	struct side *side = context;
	double began = bench_now();

	return register_page(side, side->regions - 1) == kIOReturnSuccess ? bench_now() - began :
									    -1;
}

static double do_probe(void *context)
{
	struct side *side = context;
	double began = bench_now();
	uint64_t word;

	return apple_dext_probe_dma(side->connection, IOVA + (side->regions - 1) * (uint64_t)PAGE,
		       0, &word) == kIOReturnSuccess ?
		       bench_now() - began :
		       -1;
}

static double do_unregister(void *context)
{
	struct side *side = context;
	double began = bench_now();

	return apple_dext_unregister_dma(side->connection,
		       IOVA + (side->regions - 1) * (uint64_t)PAGE) == kIOReturnSuccess ?
		       bench_now() - began :
		       -1;
}

static bool connect_side(struct side *side)
{
	side->connection = apple_dext_connect(side->bus, 0, 0);
	return apple_dext_claim(side->connection) == kIOReturnSuccess;
}

/* Register all but the additional one. */
static bool fill(struct side *side)
{
	for (unsigned page = 0; page + 1 < side->regions; page++)
		if (register_page(side, page) != kIOReturnSuccess)
			return false;
	return true;
}

/* The bytes of anonymous memory of dextd, without the clients' memory that it maps. */
static double anonymous_bytes(void)
{
	char path[64], line[256];
	double kilobytes = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)rig.dextd);
	status = fopen(path, "r");
	if (!status)
		return 0;
	while (fgets(line, sizeof(line), status))
		sscanf(line, "RssAnon: %lf", &kilobytes);
	fclose(status);
	return kilobytes * 1024;
}

static bool fill_both(void)
{
	double before, began;

	if (!connect_side(&few) || !connect_side(&many) || !fill(&few))
		return false;
	before = anonymous_bytes();
	began = bench_now();
	if (!fill(&many))
		return false;
	figures[FIGURE_FILL].value = (bench_now() - began) / 1000 / (many.regions - 1);
	figures[FIGURE_BYTES].value = (anonymous_bytes() - before) / (many.regions - 1);
	return true;
}

static bool begin(void)
{
	static const char *const specs[] = { "nvme,addr=01:00.0,size=1M",
		"nvme,addr=02:00.0,size=1M", NULL };

	memory_fd = memfd_create("bench", MFD_CLOEXEC);
	if (memory_fd < 0 || ftruncate(memory_fd, (off_t)BYTES) != 0) {
		perror("dextpci: memfd");
		return false;
	}
	memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	if (memory == MAP_FAILED || !rig_start(&rig, specs))
		return false;
	if (fill_both())
		return true;
	fprintf(stderr, "dextpci: %u regions cannot be registered\n", many.regions - 1);
	return false;
}

static void end(void)
{
	apple_dext_disconnect(few.connection);
	apple_dext_disconnect(many.connection);
	rig_stop(&rig);
	if (memory != MAP_FAILED)
		munmap(memory, BYTES);
	if (memory_fd >= 0)
		close(memory_fd);
}

static const struct bench_case cases[] = {
	{ "register region 1,024", 0, do_register, &few },
	{ "register region 65,536", 0, do_register, &many },
	{ "probe it, of 1,024", 2, do_probe, &few },
	{ "probe it, of 65,536", 2, do_probe, &many },
	{ "unregister it, of 1,024", 4, do_unregister, &few },
	{ "unregister it, of 65,536", 4, do_unregister, &many },
	{ "by descriptor and back, of 1,024", 6, register_fd_unregister, &few },
	{ "by descriptor and back, of 65,536", 6, register_fd_unregister, &many },
};

const struct bench_group bench_dma = {
	.name = "dma",
	.title = "DMA regions of 4 KiB, of one memfd",
	.placement = BENCH_ONE_CORE,
	.cases = cases,
	.case_count = sizeof(cases) / sizeof(*cases),
	.burst = 1,
	.seconds = 6,
	.begin = begin,
	.end = end,
	.figures = figures,
	.figure_count = FIGURES,
};
