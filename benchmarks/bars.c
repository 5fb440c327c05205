/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads from a mapped BAR, and from a BAR mapped over vfio-user. The reference is memory. */
#include "benchmarks/bench.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <stdio.h>

#define LOADS 10000

static struct rig rig;
static io_connect_t connection;
static mach_vm_address_t bar;
static const uint32_t *shared;
static uint32_t word_in_memory, bar_region;

static double load(const uint32_t *word)
{
	double began = bench_now();

	for (unsigned i = 0; i < LOADS; i++)
		__atomic_load_n(word, __ATOMIC_RELAXED);
	return (bench_now() - began) / LOADS;
}

static double load_memory(void *unused)
{
	(void)unused;
	return load(&word_in_memory);
}

/* The register CAP, which is constant. */
static double load_mapped(void *unused)
{
	(void)unused;
	return load((const uint32_t *)(uintptr_t)bar);
}

static double load_shared(void *unused)
{
	(void)unused;
	return load(shared);
}

static bool begin(void)
{
	static const char *const specs[] = { "nvme,addr=01:00.0,size=1M", NULL };
	mach_vm_size_t size;

	if (!bench_vfio_user_begin(specs[0], "shared", NULL) || !rig_start(&rig, specs))
		return false;
	shared = bench_vfio_user_map(0);
	connection = apple_dext_connect(1, 0, 0);
	if (shared && apple_dext_claim(connection) == kIOReturnSuccess &&
		apple_dext_map_bar(connection, 0, &bar, &size, NULL) == kIOReturnSuccess)
		return true;
	fprintf(stderr, "dextpci: BAR 0 cannot be mapped\n");
	return false;
}

static void end(void)
{
	apple_dext_disconnect(connection);
	rig_stop(&rig);
	bench_vfio_user_end();
}

static const struct bench_case cases[] = {
	{ "load from memory", 0, load_memory, NULL },
	{ "load from a mapped BAR", 0, load_mapped, NULL },
	{ "load from a BAR mapped over vfio-user", 0, load_shared, NULL },
	{ "read of it by a message instead", 0, bench_vfio_user_read, &bar_region },
};

const struct bench_group bench_bars = {
	.name = "bars",
	.title = "Mapped BARs",
	.cases = cases,
	.case_count = sizeof(cases) / sizeof(*cases),
	.burst = 10,
	.seconds = 2,
	.begin = begin,
	.end = end,
};
