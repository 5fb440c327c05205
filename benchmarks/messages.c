/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls that another process executes. The reference is a message round trip between processes. */
#include "benchmarks/bench.h"
#include "tests/lib/rig.h"
#include "vfio-user/protocol.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <stdio.h>
#include <time.h>

static struct rig rig;
static io_connect_t connection;
static uint32_t config_region = VFIO_PCI_CONFIG_REGION_INDEX, bar_region;

static double config_read(void *unused)
{
	uint64_t value;
	double began = bench_now();

	(void)unused;
	if (apple_dext_config_read(connection, 0, 4, &value) != kIOReturnSuccess)
		return -1;
	return bench_now() - began;
}

static double config_block(void *unused)
{
	static unsigned char block[DEXT_CONFIG_SIZE];
	double began = bench_now();

	(void)unused;
	if (apple_dext_config_read_block(connection, 0, block, sizeof(block)) != kIOReturnSuccess)
		return -1;
	return bench_now() - began;
}

static double mmio_read(void *unused)
{
	uint64_t value;
	double began = bench_now();

	(void)unused;
	if (apple_dext_mmio_read(connection, 0, 0, 4, &value) != kIOReturnSuccess)
		return -1;
	return bench_now() - began;
}

static bool begin(void)
{
	static const char *const specs[] = { "nvme,addr=01:00.0,size=1M", NULL };

	if (!bench_ping_pong_begin() ||
		!bench_vfio_user_begin("nvme,addr=01:00.0,size=1M", "mapped", NULL) ||
		!rig_start(&rig, specs))
		return false;
	connection = apple_dext_connect(1, 0, 0);
	if (connection == IO_OBJECT_NULL) {
		fprintf(stderr, "dextpci: %s\n", apple_dext_last_error());
		return false;
	}
	return apple_dext_claim(connection) == kIOReturnSuccess;
}

static void end(void)
{
	apple_dext_disconnect(connection);
	rig_stop(&rig);
	bench_vfio_user_end();
	bench_ping_pong_end();
}

static const struct bench_case cases[] = {
	{ "AF_UNIX ping-pong, 32 bytes", 0, bench_ping_pong, NULL },
	{ "config read, dextd", 0, config_read, NULL },
	{ "MMIO read, dextd", 0, mmio_read, NULL },
	{ "config block of 4 KiB, to one read", 1, config_block, NULL },
	{ "config region read, dext-vfio-user", 0, bench_vfio_user_read, &config_region },
	{ "BAR region read, dext-vfio-user", 0, bench_vfio_user_read, &bar_region },
};

/* The same after a pause, in which whoever polls has gone to sleep. */
static double after_pause(double (*operation)(void *))
{
	nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	return operation(NULL);
}

static double ping_pong_after_pause(void *unused)
{
	(void)unused;
	return after_pause(bench_ping_pong);
}

static double config_read_after_pause(void *unused)
{
	(void)unused;
	return after_pause(config_read);
}

static const struct bench_case cases_after_pause[] = {
	{ "AF_UNIX ping-pong after a second", 0, ping_pong_after_pause, NULL },
	{ "config read, dextd, after a second", 0, config_read_after_pause, NULL },
};

const struct bench_group bench_messages_after_pause = {
	.name = "messages-after-pause",
	.title = "Message round trips after a second of idleness",
	.placement = BENCH_TWO_CORES,
	.cases = cases_after_pause,
	.case_count = sizeof(cases_after_pause) / sizeof(*cases_after_pause),
	.burst = 1,
	.seconds = 30,
	.begin = begin,
	.end = end,
};

const struct bench_group bench_messages = {
	.name = "messages",
	.title = "Message round trips",
	.placement = BENCH_BOTH,
	.cases = cases,
	.case_count = sizeof(cases) / sizeof(*cases),
	.burst = 50,
	.seconds = 6,
	.begin = begin,
	.end = end,
};
