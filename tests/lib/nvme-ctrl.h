/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host side of an NVMe controller: queues, commands and completions. Registers and memory are
 * accessed by the operations of struct nvme_ctrl_ops: tests/lib/nvme-host.h has those for the
 * client library and for a vfio-user client, tests/lib/nvme-model.h those for the device model in
 * this process.
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
	/* Host accesses to memory, by bus address. load() is ordered before those that follow. */
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
	void *context;	  /* argument of the operations */
	unsigned timeout; /* in seconds, for each wait */
	uint16_t next_cid;
	struct nvme_ctrl_queue admin;
};

#define NVME_CTRL_ENABLE (NVME_CC_EN | NVME_SQE_SHIFT << 16 | NVME_CQE_SHIFT << 20)

/* The status of a completion without Phase Tag, More and Do Not Retry. */
static inline uint16_t nvme_ctrl_status(const struct nvme_completion *completion)
{
	return completion->status >> 1 & 0x7ff;
}

/* Wait until the bits @mask of a register are @value. Return: false after the timeout. */
bool nvme_ctrl_await(struct nvme_ctrl *ctrl, uint32_t offset, uint32_t mask, uint32_t value);
/* Enable with @cc and the admin queue, whose size and addresses the caller has set. */
bool nvme_ctrl_enable(struct nvme_ctrl *ctrl, uint32_t cc);
bool nvme_ctrl_disable(struct nvme_ctrl *ctrl);
/* Create a contiguous pair of I/O queues on @vector; 0: without interrupts. */
bool nvme_ctrl_create(struct nvme_ctrl *ctrl, const struct nvme_ctrl_queue *queue, unsigned vector);

/* Write a command with the next CID to the queue. Return: the CID. */
uint16_t nvme_ctrl_put(
	struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue, struct nvme_command command);
/* Write the tail doorbell of the submission queue. */
void nvme_ctrl_submit(struct nvme_ctrl *ctrl, const struct nvme_ctrl_queue *queue);
/* Read the next completion, if it has arrived. Its entry is not released. */
bool nvme_ctrl_take(
	struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue, struct nvme_completion *completion);
/* Write the head doorbell of the completion queue. */
void nvme_ctrl_release(struct nvme_ctrl *ctrl, const struct nvme_ctrl_queue *queue);
/* Wait for the next completion, and release it. Return: false after the timeout. */
bool nvme_ctrl_wait(
	struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue, struct nvme_completion *completion);
/* Write one command, submit it and wait for it. Return: false after the timeout. */
bool nvme_ctrl_run(struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue,
	struct nvme_command command, struct nvme_completion *completion);

/* A command with SLBA and NLB. */
struct nvme_command nvme_ctrl_rw(
	uint8_t opcode, uint64_t slba, uint32_t blocks, uint64_t prp1, uint64_t prp2);

#endif
