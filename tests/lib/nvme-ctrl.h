/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host side of an NVMe controller: queues, commands and completions, however registers and
 * memory are reached. tests/lib/nvme-host.h is on the client library or on a vfio-user client,
 * tests/lib/nvme-model.h on the device model in this process.
 */
#ifndef TESTS_LIB_NVME_CTRL_H
#define TESTS_LIB_NVME_CTRL_H

#include "provider/soft/nvme/nvme-spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nvme_ctrl_ops {
	uint64_t (*read)(void *context, uint32_t offset, unsigned width);
	void (*write)(void *context, uint32_t offset, unsigned width, uint64_t value);
	/* The host's own accesses of memory, by bus address. load() orders those after it. */
	uint32_t (*load)(void *context, uint64_t address);
	void (*get)(void *context, uint64_t address, void *data, size_t size);
	void (*put)(void *context, uint64_t address, const void *data, size_t size);
};

struct nvme_ctrl_queue {
	unsigned qid;
	uint32_t size;	 /* in entries */
	uint64_t sq, cq; /* bus addresses */
	uint32_t tail, head;
	bool phase;
};

struct nvme_ctrl {
	const struct nvme_ctrl_ops *ops;
	void *context;	  /* of the operations */
	unsigned timeout; /* in seconds, of all that waits */
	uint16_t next_cid;
	struct nvme_ctrl_queue admin;
};

#define NVME_CTRL_ENABLE (NVME_CC_EN | NVME_SQE_SHIFT << 16 | NVME_CQE_SHIFT << 20)

/* The status of a completion without the phase tag, More and Do Not Retry. */
static inline uint16_t nvme_ctrl_status(const struct nvme_completion *completion)
{
	return completion->status >> 1 & 0x7ff;
}

/* Wait until the bits @mask of a register are @value. Return: false after the timeout. */
bool nvme_ctrl_await(struct nvme_ctrl *ctrl, uint32_t offset, uint32_t mask, uint32_t value);
/* Enable with @cc and the admin queue, whose size and addresses are set. */
bool nvme_ctrl_enable(struct nvme_ctrl *ctrl, uint32_t cc);
bool nvme_ctrl_disable(struct nvme_ctrl *ctrl);
/* Create a contiguous pair of I/O queues, on @vector; without interrupts for 0. */
bool nvme_ctrl_create(struct nvme_ctrl *ctrl, const struct nvme_ctrl_queue *queue, unsigned vector);

/* Put a command into the queue, with the next CID, which is returned. */
uint16_t nvme_ctrl_put(
	struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue, struct nvme_command command);
/* Ring the submission queue's doorbell. */
void nvme_ctrl_submit(struct nvme_ctrl *ctrl, const struct nvme_ctrl_queue *queue);
/* Take the next completion, if it has arrived; its entry is not released. */
bool nvme_ctrl_take(
	struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue, struct nvme_completion *completion);
/* Ring the completion queue's doorbell. */
void nvme_ctrl_release(struct nvme_ctrl *ctrl, const struct nvme_ctrl_queue *queue);
/* Wait for the next completion, and release it. Return: false after the timeout. */
bool nvme_ctrl_wait(
	struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue, struct nvme_completion *completion);
/* Put, submit and wait for one command. Return: false after the timeout. */
bool nvme_ctrl_run(struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue,
	struct nvme_command command, struct nvme_completion *completion);

/* A command with SLBA and a number of blocks. */
struct nvme_command nvme_ctrl_rw(
	uint8_t opcode, uint64_t slba, uint32_t blocks, uint64_t prp1, uint64_t prp2);

#endif
