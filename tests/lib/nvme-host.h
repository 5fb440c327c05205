/* SPDX-License-Identifier: BSD-3-Clause */
/* An NVMe host on the client library, for tests and benchmarks. */
#ifndef TESTS_LIB_NVME_HOST_H
#define TESTS_LIB_NVME_HOST_H

#include "tests/lib/nvme-ctrl.h"

#include <apple-dext-client.h>
#include <stdbool.h>
#include <stdint.h>

#define NVME_HOST_MEMORY (1u << 20)
#define NVME_HOST_DATA	 0x10000u /* where data begins in the memory */

enum nvme_host_access { NVME_HOST_MAPPED, NVME_HOST_CALLS, NVME_HOST_FOREIGN };

/* How a controller is reached that is not the client library's (NVME_HOST_FOREIGN). */
struct nvme_host_ops {
	uint64_t (*read)(void *context, uint32_t offset, unsigned width);
	void (*write)(void *context, uint32_t offset, unsigned width, uint64_t value);
	/* Make @size bytes of @fd reachable for the device at @iova. */
	bool (*share)(void *context, int fd, uint64_t iova, uint64_t size);
};

struct nvme_host {
	io_connect_t connection;
	enum nvme_host_access access;
	const struct nvme_host_ops *ops; /* with NVME_HOST_FOREIGN */
	void *context;			 /* theirs */
	mach_vm_address_t bar;		 /* mapped */
	uint8_t *memory;		 /* NVME_HOST_MEMORY bytes, shared */
	int memory_fd;
	uint64_t iova, bus; /* of the memory */
	struct nvme_ctrl ctrl;
	struct nvme_ctrl_queue io, quiet; /* the last one raises no interrupts */
};

/*
 * Bring a claimed controller up: memory registered at @iova, admin queues, an I/O queue pair on
 * vector 1, and the quiet one. All of its interrupts have been raised when it returns.
 */
bool nvme_host_start(struct nvme_host *host, io_connect_t connection, enum nvme_host_access access,
	uint64_t iova);
/* The same for a controller that is reached by other means; nvme_host_stop() is not for it. */
bool nvme_host_start_foreign(
	struct nvme_host *host, const struct nvme_host_ops *ops, void *context, uint64_t iova);
/* Release the memory. The controller is left as it is. */
void nvme_host_stop(struct nvme_host *host);

/*
 * Wait until the interrupts of all that has completed have been raised: a completion is seen
 * before its interrupt is, but the next command is begun after it.
 */
bool nvme_host_settle(struct nvme_host *host);

/* Move whole 4 KiB pages (1 or 2) between memory at NVME_HOST_DATA + @offset and the disk. */
bool nvme_host_transfer(
	struct nvme_host *host, bool write, uint64_t block, uint32_t offset, uint32_t bytes);
/* Identify the controller into memory at NVME_HOST_DATA. */
bool nvme_host_identify(struct nvme_host *host);

uint64_t nvme_host_read(struct nvme_host *host, uint32_t offset, unsigned width);
void nvme_host_write(struct nvme_host *host, uint32_t offset, unsigned width, uint64_t value);

#endif
