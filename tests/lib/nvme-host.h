/* SPDX-License-Identifier: BSD-3-Clause */
/* An NVMe host on the client library, for tests and benchmarks. */
#ifndef TESTS_LIB_NVME_HOST_H
#define TESTS_LIB_NVME_HOST_H

#include "tests/lib/nvme-ctrl.h"

#include <apple-dext-client.h>
#include <stdbool.h>
#include <stdint.h>

#define NVME_HOST_MEMORY (1u << 20)
#define NVME_HOST_DATA	 0x10000u /* offset of the data in the memory */

enum nvme_host_access { NVME_HOST_MAPPED, NVME_HOST_CALLS, NVME_HOST_OPS };

/* Access to a controller without the client library (NVME_HOST_OPS). */
struct nvme_host_ops {
	uint64_t (*read)(void *context, uint32_t offset, unsigned width);
	void (*write)(void *context, uint32_t offset, unsigned width, uint64_t value);
	/* Map @size bytes of @fd for DMA at @iova. */
	bool (*share)(void *context, int fd, uint64_t iova, uint64_t size);
};

struct nvme_host {
	io_connect_t connection;
	enum nvme_host_access access;
	const struct nvme_host_ops *ops; /* with NVME_HOST_OPS */
	void *context;			 /* argument of ops */
	mach_vm_address_t bar;		 /* address of the mapping */
	uint8_t *memory;		 /* NVME_HOST_MEMORY bytes, shared */
	int memory_fd;
	uint64_t iova, bus; /* address of the memory */
	struct nvme_ctrl ctrl;
	struct nvme_ctrl_queue io, quiet; /* quiet raises no interrupts */
};

/*
 * Initialize a claimed controller: memory registered at @iova, admin queues, an I/O queue pair on
 * vector 1, and the quiet one. All its interrupts have been raised on return.
 */
bool nvme_host_start(struct nvme_host *host, io_connect_t connection, enum nvme_host_access access,
	uint64_t iova);
/* The same by the operations of the caller; do not call nvme_host_stop(). */
bool nvme_host_start_ops(
	struct nvme_host *host, const struct nvme_host_ops *ops, void *context, uint64_t iova);
/* Release the memory. The state of the controller is not changed. */
void nvme_host_stop(struct nvme_host *host);

/*
 * Wait until the interrupts of all completed commands have been raised. A completion is visible
 * before its interrupt is raised; the next command is executed after it.
 */
bool nvme_host_settle(struct nvme_host *host);

/* Transfer whole 4 KiB pages (1 or 2) between memory at NVME_HOST_DATA + @offset and the disk. */
bool nvme_host_transfer(
	struct nvme_host *host, bool write, uint64_t block, uint32_t offset, uint32_t bytes);
/* Identify Controller; the data is stored at NVME_HOST_DATA. */
bool nvme_host_identify(struct nvme_host *host);

uint64_t nvme_host_read(struct nvme_host *host, uint32_t offset, unsigned width);
void nvme_host_write(struct nvme_host *host, uint32_t offset, unsigned width, uint64_t value);

#endif
