/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/nvme-host.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Registers and bits of the NVMe 1.4 specification, section 3.1. */
enum {
	REG_CC = 0x14,
	REG_CSTS = 0x1c,
	REG_AQA = 0x24,
	REG_ASQ = 0x28,
	REG_ACQ = 0x30,
	REG_DOORBELLS = 0x1000
};
#define CC_ENABLE     0x00460001u /* entries of 64 and 16 bytes, enabled */
#define CSTS_READY    1u
#define ADMIN_ENTRIES 32u
#define IO_ENTRIES    64u
#define QUIET_ENTRIES 4u
#define WAIT_SECONDS  10

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

uint64_t nvme_host_read(struct nvme_host *host, uint32_t offset, unsigned width)
{
	uint64_t value = UINT64_MAX;

	if (host->access == NVME_HOST_FOREIGN)
		value = host->ops->read(host->context, offset, width);
	else if (host->access == NVME_HOST_CALLS)
		apple_dext_mmio_read(host->connection, 0, offset, width, &value);
	else if (width == 8)
		value = __atomic_load_n((uint64_t *)(host->bar + offset), __ATOMIC_ACQUIRE);
	else
		value = __atomic_load_n((uint32_t *)(host->bar + offset), __ATOMIC_ACQUIRE);
	return value;
}

void nvme_host_write(struct nvme_host *host, uint32_t offset, unsigned width, uint64_t value)
{
	if (host->access == NVME_HOST_FOREIGN)
		host->ops->write(host->context, offset, width, value);
	else if (host->access == NVME_HOST_CALLS)
		apple_dext_mmio_write(host->connection, 0, offset, width, value);
	else if (width == 8)
		__atomic_store_n((uint64_t *)(host->bar + offset), value, __ATOMIC_RELEASE);
	else
		__atomic_store_n(
			(uint32_t *)(host->bar + offset), (uint32_t)value, __ATOMIC_RELEASE);
}

static bool wait_ready(struct nvme_host *host, uint32_t ready)
{
	for (double end = now() + WAIT_SECONDS; now() < end; nap())
		if ((nvme_host_read(host, REG_CSTS, 4) & CSTS_READY) == ready)
			return true;
	return false;
}

static bool get_memory(struct nvme_host *host)
{
	host->memory_fd = memfd_create("nvme-host", MFD_CLOEXEC);
	if (host->memory_fd < 0 || ftruncate(host->memory_fd, NVME_HOST_MEMORY) != 0)
		return false;
	host->memory = mmap(
		NULL, NVME_HOST_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, host->memory_fd, 0);
	if (host->memory == MAP_FAILED)
		return false;
	host->bus = host->iova;
	if (host->access == NVME_HOST_FOREIGN)
		return host->ops->share(
			host->context, host->memory_fd, host->iova, NVME_HOST_MEMORY);
	return apple_dext_register_dma(host->connection, host->iova, (uintptr_t)host->memory,
		       NVME_HOST_MEMORY, &host->bus, NULL) == kIOReturnSuccess;
}

static bool enable(struct nvme_host *host)
{
	host->admin = (struct nvme_queue_pair){
		.submissions = 0, .completions = 0x1000, .entries = ADMIN_ENTRIES, .phase = 1
	};
	nvme_host_write(host, REG_CC, 4, 0);
	if (!wait_ready(host, 0))
		return false;
	nvme_host_write(host, REG_AQA, 4, (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1));
	nvme_host_write(host, REG_ASQ, 8, host->bus + host->admin.submissions);
	nvme_host_write(host, REG_ACQ, 8, host->bus + host->admin.completions);
	nvme_host_write(host, REG_CC, 4, CC_ENABLE);
	return wait_ready(host, 1);
}

void nvme_host_submit(struct nvme_host *host, struct nvme_queue_pair *queue, uint32_t command[16])
{
	command[0] = (command[0] & 0xffff) | (uint32_t)host->next_id++ << 16;
	memcpy(host->memory + queue->submissions + 64u * queue->tail, command, 64);
	queue->tail = (uint16_t)((queue->tail + 1) % queue->entries);
	nvme_host_write(host, REG_DOORBELLS + 8u * queue->id, 4, queue->tail);
}

bool nvme_host_complete(
	struct nvme_host *host, struct nvme_queue_pair *queue, struct nvme_completion *completion)
{
	uint32_t *entry =
		(uint32_t *)(void *)(host->memory + queue->completions + 16u * queue->head);
	uint32_t last;

	for (double end = now() + WAIT_SECONDS;; nap()) {
		last = __atomic_load_n(&entry[3], __ATOMIC_ACQUIRE);
		if ((last >> 16 & 1) == queue->phase)
			break;
		if (now() > end)
			return false;
	}
	*completion = (struct nvme_completion){
		.result = entry[0],
		.head = (uint16_t)entry[2],
		.queue = (uint16_t)(entry[2] >> 16),
		.id = (uint16_t)last,
		.status = (uint16_t)(last >> 17),
	};
	queue->head = (uint16_t)((queue->head + 1) % queue->entries);
	if (!queue->head)
		queue->phase ^= 1;
	nvme_host_write(host, REG_DOORBELLS + 8u * queue->id + 4, 4, queue->head);
	return true;
}

bool nvme_host_run(struct nvme_host *host, struct nvme_queue_pair *queue, uint32_t command[16],
	struct nvme_completion *completion)
{
	nvme_host_submit(host, queue, command);
	return nvme_host_complete(host, queue, completion);
}

static bool admin(struct nvme_host *host, uint32_t opcode, uint32_t nsid, uint64_t prp1,
	uint32_t dword10, uint32_t dword11)
{
	uint32_t command[16] = { [0] = opcode,
		[1] = nsid,
		[6] = (uint32_t)prp1,
		[7] = (uint32_t)(prp1 >> 32),
		[10] = dword10,
		[11] = dword11 };
	struct nvme_completion completion;

	return nvme_host_run(host, &host->admin, command, &completion) && !completion.status;
}

/* A contiguous pair on @vector; without interrupts for 0, the admin queue's. */
static bool create_queues(struct nvme_host *host, struct nvme_queue_pair *queue, uint32_t vector)
{
	uint32_t size = (queue->entries - 1u) << 16 | queue->id;

	return admin(host, 0x05, 0, host->bus + queue->completions, size,
		       vector << 16 | (vector ? 3 : 1)) &&
	       admin(host, 0x01, 0, host->bus + queue->submissions, size,
		       (uint32_t)queue->id << 16 | 1);
}

static bool create_io_queues(struct nvme_host *host)
{
	host->io = (struct nvme_queue_pair){ .submissions = 0x2000,
		.completions = 0x3000,
		.id = 1,
		.entries = IO_ENTRIES,
		.phase = 1 };
	host->quiet = (struct nvme_queue_pair){ .submissions = 0x4000,
		.completions = 0x5000,
		.id = 2,
		.entries = QUIET_ENTRIES,
		.phase = 1 };
	return create_queues(host, &host->io, 1) && create_queues(host, &host->quiet, 0);
}

bool nvme_host_settle(struct nvme_host *host)
{
	uint32_t flush[16] = { [0] = 0, [1] = 1 };
	struct nvme_completion completion;

	return nvme_host_run(host, &host->quiet, flush, &completion) && !completion.status;
}

static bool bring_up(struct nvme_host *host)
{
	return get_memory(host) && enable(host) && create_io_queues(host) && nvme_host_settle(host);
}

bool nvme_host_start_foreign(
	struct nvme_host *host, const struct nvme_host_ops *ops, void *context, uint64_t iova)
{
	*host = (struct nvme_host){ .access = NVME_HOST_FOREIGN,
		.ops = ops,
		.context = context,
		.iova = iova,
		.memory_fd = -1 };
	return bring_up(host);
}

bool nvme_host_start(struct nvme_host *host, io_connect_t connection, enum nvme_host_access access,
	uint64_t iova)
{
	mach_vm_size_t size;

	*host = (struct nvme_host){
		.connection = connection, .access = access, .iova = iova, .memory_fd = -1
	};
	if (access == NVME_HOST_MAPPED &&
		apple_dext_map_bar(connection, 0, &host->bar, &size, NULL) != kIOReturnSuccess)
		return false;
	return bring_up(host);
}

void nvme_host_stop(struct nvme_host *host)
{
	if (host->bar)
		apple_dext_unmap_bar(host->connection, 0, host->bar);
	apple_dext_unregister_dma(host->connection, host->iova);
	if (host->memory && host->memory != MAP_FAILED)
		munmap(host->memory, NVME_HOST_MEMORY);
	if (host->memory_fd >= 0)
		close(host->memory_fd);
}

bool nvme_host_transfer(
	struct nvme_host *host, bool write, uint64_t block, uint32_t offset, uint32_t bytes)
{
	uint64_t prp1 = host->bus + NVME_HOST_DATA + offset, prp2 = prp1 + 4096;
	uint32_t command[16] = { [0] = write ? 1u : 2u,
		[1] = 1,
		[6] = (uint32_t)prp1,
		[7] = (uint32_t)(prp1 >> 32),
		[8] = (uint32_t)prp2,
		[9] = (uint32_t)(prp2 >> 32),
		[10] = (uint32_t)block,
		[11] = (uint32_t)(block >> 32),
		[12] = bytes / 512 - 1 };
	struct nvme_completion completion;

	return nvme_host_run(host, &host->io, command, &completion) && !completion.status;
}

bool nvme_host_identify(struct nvme_host *host)
{
	return admin(host, 0x06, 0, host->bus + NVME_HOST_DATA, 1, 0);
}
