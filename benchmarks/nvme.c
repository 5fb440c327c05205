/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads of NVMe devices, one command at a time. The reference is pread() of a file with the same
 * content, which is in the page cache.
 */
#include "benchmarks/bench.h"
#include "tests/lib/nvme-host.h"
#include "tests/lib/rig.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK	     4096u
#define IMAGE_BLOCKS 2048u
#define WAIT_NS	     1e10

static struct rig rig;
static io_connect_t connections[2];
static struct nvme_host by_calls, by_loads;
static char image[2][64];
static int image_fd = -1;

/* Random blocks. The image is in the page cache. */
static uint64_t next_block(void)
{
	static uint32_t state = 1;

	state = state * 1664525u + 1013904223u;
	return (state >> 8) % IMAGE_BLOCKS;
}

static double read_file(void *unused)
{
	static char buffer[BLOCK];
	off_t offset = (off_t)(next_block() * BLOCK);
	double began = bench_now();

	(void)unused;
	return pread(image_fd, buffer, BLOCK, offset) == BLOCK ? bench_now() - began : -1;
}

/* Poll the I/O queue for the next completion. */
static bool poll_completion(struct nvme_host *host, struct nvme_completion *completion)
{
	double limit = bench_now() + WAIT_NS;

	while (!nvme_ctrl_take(&host->ctrl, &host->io, completion)) {
		if (bench_now() > limit)
			return false;
		sched_yield();
	}
	return true;
}

static double read_disk(void *context)
{
	struct nvme_host *host = context;
	uint64_t sector = next_block() * (BLOCK / 512);
	struct nvme_command command =
		nvme_ctrl_rw(NVME_IO_READ, sector, BLOCK / 512, host->bus + NVME_HOST_DATA, 0);
	struct nvme_completion completion;
	double began = bench_now(), took;

	nvme_ctrl_put(&host->ctrl, &host->io, command);
	nvme_ctrl_submit(&host->ctrl, &host->io);
	if (!poll_completion(host, &completion))
		return -1;
	took = bench_now() - began;
	nvme_ctrl_release(&host->ctrl, &host->io);
	return nvme_ctrl_status(&completion) == 0 ? took : -1;
}

/* One image for each device, with the same content; read_file() reads the first. */
static bool make_images(void)
{
	char block[BLOCK];
	int fd;

	for (unsigned i = 0; i < 2; i++) {
		snprintf(image[i], sizeof(image[i]), "/tmp/dextpci-bench-XXXXXX");
		fd = mkstemp(image[i]);
		for (unsigned n = 0; fd >= 0 && n < IMAGE_BLOCKS; n++) {
			memset(block, (int)n, sizeof(block));
			if (write(fd, block, sizeof(block)) != sizeof(block))
				break;
		}
		if (fd < 0 || lseek(fd, 0, SEEK_CUR) != (off_t)IMAGE_BLOCKS * BLOCK) {
			perror("dextpci: /tmp");
			return false;
		}
		if (i == 0)
			image_fd = fd;
		else
			close(fd);
	}
	return true;
}

static bool start_host(struct nvme_host *host, unsigned device, enum nvme_host_access access)
{
	connections[device] = apple_dext_connect((uint8_t)(device + 1), 0, 0);
	return apple_dext_claim(connections[device]) == kIOReturnSuccess &&
	       nvme_host_start(host, connections[device], access, 0x100000);
}

static bool begin(void)
{
	char specs[2][128];
	const char *list[] = { specs[0], specs[1], NULL };

	if (!make_images())
		return false;
	for (unsigned i = 0; i < 2; i++)
		snprintf(specs[i], sizeof(specs[i]), "nvme,addr=%02u:00.0,image=%s", i + 1,
			image[i]);
	if (!rig_start(&rig, list))
		return false;
	if (start_host(&by_calls, 0, NVME_HOST_CALLS) && start_host(&by_loads, 1, NVME_HOST_MAPPED))
		return true;
	fprintf(stderr, "dextpci: the NVMe devices cannot be initialized\n");
	return false;
}

static void end(void)
{
	struct nvme_host *const hosts[] = { &by_calls, &by_loads };

	for (unsigned i = 0; i < 2; i++) {
		if (hosts[i]->connection)
			nvme_host_stop(hosts[i]);
		apple_dext_disconnect(connections[i]);
	}
	rig_stop(&rig);
	if (image_fd >= 0)
		close(image_fd);
	for (unsigned i = 0; i < 2; i++)
		unlink(image[i]);
}

static const struct bench_case cases[] = {
	{ "pread of the image, 4 KiB", 0, read_file, NULL },
	{ "NVMe read of 4 KiB, registers by calls", 0, read_disk, &by_calls },
	{ "NVMe read of 4 KiB, registers mapped", 0, read_disk, &by_loads },
};

const struct bench_group bench_nvme = {
	.name = "nvme",
	.title = "NVMe, queue depth 1",
	.cases = cases,
	.case_count = sizeof(cases) / sizeof(*cases),
	.burst = 50,
	.seconds = 6,
	.begin = begin,
	.end = end,
};
