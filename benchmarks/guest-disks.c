/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs in the guest of ./bench --guest: one kind of I/O on several disks alternately, with O_DIRECT.
 * Prints a line for each disk: its index, p50, p99 and the number of samples. A sample is the time
 * per request in nanoseconds.
 */
#include "benchmarks/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DISKS_MAX BENCH_CASES_MAX
#define DEPTH_MAX 32u
#define SECONDS	  6.0
/* Samples of one disk before the next one's turn: devices learn how soon the host comes back. */
#define BURST 16

struct operation {
	const char *name;
	bool write, random;
	size_t size;	/* of a request */
	unsigned depth; /* requests in flight */
	unsigned count; /* requests per sample */
};

static const struct operation operations[] = {
	{ "read-seq", false, false, 1 << 20, 1, 4 },
	{ "write-seq", true, false, 1 << 20, 1, 4 },
	{ "read-1", false, true, 4096, 1, 32 },
	{ "write-1", true, true, 4096, 1, 32 },
	{ "read-32", false, true, 4096, 32, 256 },
	{ "write-32", true, true, 4096, 32, 256 },
};

struct disk {
	int fd;
	uint64_t size, next; /* bytes; offset of the next sequential request */
	uint32_t state;	     /* of the random offsets: the same for all disks */
};

static const struct operation *operation;
static aio_context_t queue;
static uint8_t *buffers; /* DEPTH_MAX of operation->size bytes */

static uint64_t next_offset(struct disk *disk)
{
	uint64_t requests = disk->size / operation->size, at;

	if (operation->random) {
		disk->state = disk->state * 1664525u + 1013904223u;
		return (disk->state >> 8) % requests * operation->size;
	}
	at = disk->next;
	disk->next = (at + operation->size) % (requests * operation->size);
	return at;
}

/* Submit @count requests, which use the buffers with the indices in @free. */
static bool submit(struct disk *disk, const uint64_t *free, unsigned count)
{
	struct iocb requests[DEPTH_MAX], *list[DEPTH_MAX];

	for (unsigned i = 0; i < count; i++) {
		requests[i] = (struct iocb){
			.aio_data = free[i],
			.aio_fildes = (uint32_t)disk->fd,
			.aio_lio_opcode = operation->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
			.aio_buf = (uintptr_t)(buffers + free[i] * operation->size),
			.aio_nbytes = operation->size,
			.aio_offset = (int64_t)next_offset(disk),
		};
		list[i] = &requests[i];
	}
	return syscall(SYS_io_submit, queue, (long)count, list) == (long)count;
}

/* Wait for completions. @free: indices of their buffers. Return: their number; 0: one has failed. */
static unsigned wait_completions(uint64_t *free)
{
	struct io_event events[DEPTH_MAX];
	long count = syscall(SYS_io_getevents, queue, 1L, (long)DEPTH_MAX, events, NULL);

	for (long i = 0; i < count; i++) {
		if (events[i].res != (int64_t)operation->size)
			return 0;
		free[i] = events[i].data;
	}
	return count > 0 ? (unsigned)count : 0;
}

/* Complete operation->count requests, with operation->depth of them in flight. */
static bool run_aio(struct disk *disk)
{
	unsigned unsubmitted = operation->count - operation->depth, pending = operation->depth;
	uint64_t free[DEPTH_MAX] = { 0 };

	for (unsigned i = 0; i < operation->depth; i++)
		free[i] = i;
	if (!submit(disk, free, operation->depth))
		return false;
	while (pending) {
		unsigned count = wait_completions(free);
		unsigned more = count < unsubmitted ? count : unsubmitted;

		if (!count || (more && !submit(disk, free, more)))
			return false;
		unsubmitted -= more;
		pending -= count - more;
	}
	return true;
}

/* At depth 1, use pread and pwrite, as most programs do. */
static bool run_sync(struct disk *disk)
{
	for (unsigned i = 0; i < operation->count; i++) {
		off_t offset = (off_t)next_offset(disk);
		ssize_t done = operation->write ?
				       pwrite(disk->fd, buffers, operation->size, offset) :
				       pread(disk->fd, buffers, operation->size, offset);

		if (done != (ssize_t)operation->size)
			return false;
	}
	return true;
}

static double run(void *context)
{
	struct disk *disk = context;
	double began = bench_now();
	bool done = operation->depth > 1 ? run_aio(disk) : run_sync(disk);

	return done ? (bench_now() - began) / operation->count : -1;
}

static bool open_disk(struct disk *disk, const char *path)
{
	disk->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	return disk->fd >= 0 && ioctl(disk->fd, BLKGETSIZE64, &disk->size) == 0 &&
	       disk->size >= operation->size;
}

static bool prepare(void)
{
	size_t size = DEPTH_MAX * operation->size;

	buffers = aligned_alloc(4096, size);
	if (!buffers)
		return false;
	for (size_t at = 0; at < size; at++)
		buffers[at] = (uint8_t)(at >> 12);
	return syscall(SYS_io_setup, (long)DEPTH_MAX, &queue) == 0;
}

static const struct operation *find(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct disk disks[DISKS_MAX] = { 0 };
	struct bench_case cases[DISKS_MAX];
	struct bench_result results[DISKS_MAX];
	size_t count = argc < 3 ? 0 : (size_t)argc - 2;
	struct bench_group group = {
		.cases = cases, .case_count = count, .burst = BURST, .seconds = SECONDS
	};

	operation = count ? find(argv[1]) : NULL;
	if (!operation || count > DISKS_MAX) {
		fprintf(stderr, "usage: dextpci-guest-disks OPERATION DISK...\n");
		return 2;
	}
	group.title = operation->name;
	for (size_t i = 0; i < count; i++) {
		if (!open_disk(&disks[i], argv[i + 2])) {
			fprintf(stderr, "dextpci: %s: %s\n", argv[i + 2], strerror(errno));
			return 1;
		}
		cases[i] = (struct bench_case){ argv[i + 2], 0, run, &disks[i] };
	}
	if (!prepare() || !bench_measure(&group, results))
		return 1;
	for (size_t i = 0; i < count; i++)
		printf("%zu %.0f %.0f %zu\n", i, results[i].p50, results[i].p99,
			results[i].samples);
	return 0;
}
