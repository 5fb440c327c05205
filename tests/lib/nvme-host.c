/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/nvme-host.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ADMIN_ENTRIES 32u
#define IO_ENTRIES    64u
#define QUIET_ENTRIES 4u
#define TIMEOUT	      10

uint64_t nvme_host_read(struct nvme_host *host, uint32_t offset, unsigned width)
{
	uint64_t value = UINT64_MAX;

	if (host->access == NVME_HOST_OPS)
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
	if (host->access == NVME_HOST_OPS)
		host->ops->write(host->context, offset, width, value);
	else if (host->access == NVME_HOST_CALLS)
		apple_dext_mmio_write(host->connection, 0, offset, width, value);
	else if (width == 8)
		__atomic_store_n((uint64_t *)(host->bar + offset), value, __ATOMIC_RELEASE);
	else
		__atomic_store_n(
			(uint32_t *)(host->bar + offset), (uint32_t)value, __ATOMIC_RELEASE);
}

static uint64_t read_register(void *context, uint32_t offset, unsigned width)
{
	return nvme_host_read(context, offset, width);
}

static void write_register(void *context, uint32_t offset, unsigned width, uint64_t value)
{
	nvme_host_write(context, offset, width, value);
}

static uint8_t *at(struct nvme_host *host, uint64_t address)
{
	return host->memory + (address - host->bus);
}

static uint32_t load(void *context, uint64_t address)
{
	return __atomic_load_n((uint32_t *)(void *)at(context, address), __ATOMIC_ACQUIRE);
}

static void get(void *context, uint64_t address, void *data, size_t size)
{
	memcpy(data, at(context, address), size);
}

static void put(void *context, uint64_t address, const void *data, size_t size)
{
	memcpy(at(context, address), data, size);
}

static const struct nvme_ctrl_ops ctrl_ops = { read_register, write_register, load, get, put };

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
	if (host->access == NVME_HOST_OPS)
		return host->ops->share(
			host->context, host->memory_fd, host->iova, NVME_HOST_MEMORY);
	return apple_dext_register_dma(host->connection, host->iova, (uintptr_t)host->memory,
		       NVME_HOST_MEMORY, &host->bus, NULL) == kIOReturnSuccess;
}

/* A pair of queues in two pages of the memory, at @offset. */
static struct nvme_ctrl_queue place_queue(
	const struct nvme_host *host, unsigned qid, uint32_t entries, uint32_t offset)
{
	return (struct nvme_ctrl_queue){ .qid = qid,
		.size = entries,
		.sq = host->bus + offset,
		.cq = host->bus + offset + 0x1000,
		.phase = true };
}

static bool enable(struct nvme_host *host)
{
	host->ctrl = (struct nvme_ctrl){ .ops = &ctrl_ops,
		.context = host,
		.timeout = TIMEOUT,
		.admin = place_queue(host, 0, ADMIN_ENTRIES, 0) };
	nvme_host_write(host, NVME_REG_CC, 4, 0);
	return nvme_ctrl_await(&host->ctrl, NVME_REG_CSTS, NVME_CSTS_RDY, 0) &&
	       nvme_ctrl_enable(&host->ctrl, NVME_CTRL_ENABLE);
}

static bool run(struct nvme_host *host, struct nvme_ctrl_queue *queue, struct nvme_command command)
{
	struct nvme_completion completion;

	return nvme_ctrl_run(&host->ctrl, queue, command, &completion) &&
	       nvme_ctrl_status(&completion) == 0;
}

static bool create_io_queues(struct nvme_host *host)
{
	host->io = place_queue(host, 1, IO_ENTRIES, 0x2000);
	host->quiet = place_queue(host, 2, QUIET_ENTRIES, 0x4000);
	return nvme_ctrl_create(&host->ctrl, &host->io, 1) &&
	       nvme_ctrl_create(&host->ctrl, &host->quiet, 0);
}

bool nvme_host_settle(struct nvme_host *host)
{
	return run(host, &host->quiet, (struct nvme_command){ .opcode = NVME_IO_FLUSH, .nsid = 1 });
}

static bool bring_up(struct nvme_host *host)
{
	return get_memory(host) && enable(host) && create_io_queues(host) && nvme_host_settle(host);
}

bool nvme_host_start_ops(
	struct nvme_host *host, const struct nvme_host_ops *ops, void *context, uint64_t iova)
{
	*host = (struct nvme_host){ .access = NVME_HOST_OPS,
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
	uint64_t prp1 = host->bus + NVME_HOST_DATA + offset;

	return run(host, &host->io,
		nvme_ctrl_rw(write ? NVME_IO_WRITE : NVME_IO_READ, block, bytes / 512, prp1,
			prp1 + 4096));
}

bool nvme_host_identify(struct nvme_host *host)
{
	return run(host, &host->ctrl.admin,
		(struct nvme_command){ .opcode = NVME_ADMIN_IDENTIFY,
			.prp1 = host->bus + NVME_HOST_DATA,
			.cdw10 = 1 });
}
