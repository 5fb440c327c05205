/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A host of the NVMe device model in this process, on the fake framework. An error fails the
 * current test.
 */
#ifndef TESTS_LIB_NVME_MODEL_H
#define TESTS_LIB_NVME_MODEL_H

#include "provider/soft/nvme/nvme.h"
#include "tests/lib/fake-soft.h"
#include "tests/lib/nvme-ctrl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HOST_PAGE UINT64_C(4096)

struct host {
	struct soft_device *device;
	bool mapped;	    /* registers are accessed through the memory of the BAR */
	uint64_t next_page; /* first page of RAM that is not allocated */
	struct nvme_ctrl ctrl;
	struct nvme_ctrl_queue io;
};

/* Create a device ("nvme," and @keys) and a host for it; the controller is not enabled. */
void host_open(struct host *host, const char *keys);
void host_close(struct host *host);
/* Map or unmap the BAR: registers are then accessed through memory, or by calls. */
void host_map(struct host *host, bool mapped);

uint32_t host_read(struct host *host, unsigned offset);
void host_write(struct host *host, unsigned offset, uint32_t value);
void host_write64(struct host *host, unsigned offset, uint64_t value);
void host_ring(struct host *host, unsigned doorbell, uint32_t value);
/* Wait until the bits @mask of a register are @value; fails the test after a timeout. */
void host_await(struct host *host, unsigned offset, uint32_t mask, uint32_t value);

/* Allocate whole pages of RAM, zero unless used before. */
uint64_t host_pages(struct host *host, unsigned count);
void host_fill(struct host *host, uint64_t address, const void *data, size_t length);
void host_peek(struct host *host, uint64_t address, void *data, size_t length);

/* Set up the admin queue with @entries and enable; fails the test if not ready. */
void host_enable(struct host *host, uint32_t entries, uint32_t cc);
void host_disable(struct host *host);
/* Create I/O queue pair 1, of @entries, on interrupt vector 1. */
void host_create_io(struct host *host, uint32_t entries);
/* Open, enable with 32 entries, and create I/O queue pair 1 with 16. */
void host_start(struct host *host, const char *keys);

/*
 * Write a command with a new CID to the queue; return the CID. host_submit() writes the doorbell.
 */
uint16_t host_put(struct host *host, struct nvme_ctrl_queue *queue, struct nvme_command command);
void host_submit(struct host *host, struct nvme_ctrl_queue *queue);
/* Whether the next completion has arrived; it is copied, its entry not released. */
bool host_take(
	struct host *host, struct nvme_ctrl_queue *queue, struct nvme_completion *completion);
void host_release(struct host *host, struct nvme_ctrl_queue *queue);
/* Wait for the next completion, and release its entry. */
struct nvme_completion host_wait(struct host *host, struct nvme_ctrl_queue *queue);
/* Submit one command and wait. Return: its status without Phase Tag, More and DNR. */
uint16_t host_run(struct host *host, struct nvme_ctrl_queue *queue, struct nvme_command command,
	uint32_t *result);
uint16_t host_admin(struct host *host, struct nvme_command command);
uint16_t host_io(struct host *host, struct nvme_command command);

/* Write and submit @count flushes to the I/O queue. */
void host_put_flushes(struct host *host, unsigned count);
/* Wait for a command on the admin queue: the device has then processed all earlier doorbells. */
void host_barrier(struct host *host);

/* Data that differs between positions of the disk, starting at @position. */
uint8_t host_pattern(uint64_t position);
void host_fill_pattern(struct host *host, uint64_t address, uint64_t position, size_t length);
void host_expect_pattern(struct host *host, uint64_t address, uint64_t position, size_t length);

/* Path of an image file of 1 MiB of zeroes; setup and teardown of a cmocka test. */
extern char host_image[];
int host_image_create(void **state);
int host_image_remove(void **state);

/* A short sleep, for loops that wait. */
void host_nap(void);

#endif
