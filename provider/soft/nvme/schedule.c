/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Round robin over the submission queues, with the arbitration burst the host has set.
 * A round is bounded, so that doorbells, CC and resets are looked at again soon,
 * whatever a host keeps queueing.
 */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>

/* Commands in one round of the worker, and the time after which it takes up no more of them. */
#define ROUND_COMMANDS 32u
#define ROUND_NS       UINT64_C(5000000)
/* Completions that are posted within this time of each other share an interrupt. */
#define INTERRUPT_NS UINT64_C(50000)
/* The value of the arbitration burst that means no limit. */
#define BURST_UNLIMITED 7u

/* Commands of one queue that may wait for jobs, for the memory that they take. */
#define PARKED_MAX 128u

/* A queue is served while its completion queue has room for what comes of it. */
static bool runnable(const struct nvme_controller *nvme, unsigned qid)
{
	const struct nvme_sq *sq = &nvme->sqs[qid];

	return sq->live && sq->head != sq->tail && sq->parked < PARKED_MAX &&
	       nvme_cq_has_room(&nvme->cqs[sq->cqid]);
}

/* Return: the next queue after the one served last that can be, or -1. */
static int next_queue(const struct nvme_controller *nvme)
{
	for (unsigned step = 1; step <= nvme->queues + 1; step++) {
		unsigned qid = (nvme->last_sqid + step) % (nvme->queues + 1);

		if (runnable(nvme, qid))
			return (int)qid;
	}
	return -1;
}

static void to_machine_order(struct nvme_command *command)
{
	command->cid = le16toh(command->cid);
	command->nsid = le32toh(command->nsid);
	command->mptr = le64toh(command->mptr);
	command->prp1 = le64toh(command->prp1);
	command->prp2 = le64toh(command->prp2);
	command->cdw10 = le32toh(command->cdw10);
	command->cdw11 = le32toh(command->cdw11);
	command->cdw12 = le32toh(command->cdw12);
	command->cdw13 = le32toh(command->cdw13);
	command->cdw14 = le32toh(command->cdw14);
	command->cdw15 = le32toh(command->cdw15);
}

static bool fetch(struct nvme_controller *nvme, unsigned qid, struct nvme_request *request)
{
	struct nvme_sq *sq = &nvme->sqs[qid];

	*request = (struct nvme_request){ .sqid = (uint16_t)qid };
	if (!soft_dma_read(nvme->device, sq->base + (uint64_t)sq->head * sizeof(request->command),
		    &request->command, sizeof(request->command))) {
		/* Bus mastering went off just now: the commands can wait until it is on. */
		if (soft_bus_master(nvme->device))
			nvme_fatal(nvme, "a submission queue cannot be read");
		return false;
	}
	to_machine_order(&request->command);
	sq->head = sq->head + 1 == sq->size ? 0 : sq->head + 1;
	return true;
}

static uint16_t execute(struct nvme_controller *nvme, struct nvme_request *request)
{
	const struct nvme_operation *operations =
		request->sqid ? nvme_io_operations : nvme_admin_operations;
	const struct nvme_operation *operation = &operations[request->command.opcode];

	if (!nvme_supports(nvme, operation))
		return NVME_INVALID_OPCODE;
	/* Neither fused commands nor scatter gather lists are offered. */
	if (request->command.flags & NVME_FLAGS_FUSE_PSDT)
		return NVME_INVALID_FIELD;
	return operation->handler(nvme, request);
}

static unsigned burst(const struct nvme_controller *nvme)
{
	unsigned order = nvme->features.value[NVME_FEAT_ARBITRATION] & 7;

	return order == BURST_UNLIMITED ? ROUND_COMMANDS : 1u << order;
}

static bool can_go_on(struct nvme_controller *nvme, uint64_t deadline)
{
	return nvme->running && !nvme_halted(nvme) && nvme_now_ns() < deadline;
}

/* Return: how many commands were executed, at most @most. */
static unsigned run_queue(
	struct nvme_controller *nvme, unsigned qid, unsigned most, uint64_t deadline)
{
	unsigned count = 0;

	while (count < most && can_go_on(nvme, deadline) && runnable(nvme, qid)) {
		struct nvme_request request;

		if (!fetch(nvme, qid, &request))
			break;
		uint16_t status = execute(nvme, &request);

		if (status != NVME_NO_COMPLETION)
			nvme_complete(nvme, &request, status);
		count++;
	}
	return count;
}

static bool can_run(struct nvme_controller *nvme)
{
	return nvme->running && !nvme_halted(nvme) && soft_bus_master(nvme->device);
}

static void run_turns(struct nvme_controller *nvme, uint64_t begin)
{
	uint64_t deadline = begin + ROUND_NS, raised = begin;
	unsigned left = ROUND_COMMANDS;
	int qid;

	while (left && can_run(nvme) && (qid = next_queue(nvme)) >= 0) {
		unsigned most = burst(nvme) < left ? burst(nvme) : left;
		unsigned count = run_queue(nvme, (unsigned)qid, most, deadline);

		nvme->last_sqid = (unsigned)qid;
		left -= count;
		if (nvme_now_ns() - raised >= INTERRUPT_NS) {
			nvme_interrupts_raise(nvme);
			raised = nvme_now_ns();
		}
		if (count == 0)
			break;
	}
}

void nvme_idle(struct nvme_controller *nvme)
{
	if (nvme->busy_since_ns)
		nvme->statistics.busy_ns += nvme_now_ns() - nvme->busy_since_ns;
	nvme->busy_since_ns = 0;
}

bool nvme_run_queues(struct nvme_controller *nvme)
{
	nvme->raise_at_ns = 0;
	nvme_parked_resume(nvme);
	if (!can_run(nvme))
		return false;
	if (next_queue(nvme) >= 0) {
		uint64_t begin = nvme_now_ns();

		if (!nvme->busy_since_ns)
			nvme->busy_since_ns = begin;
		run_turns(nvme, begin);
	}
	if (!nvme->parked)
		nvme_idle(nvme);
	nvme_events_post(nvme);
	nvme_interrupts_raise(nvme);
	return can_run(nvme) && next_queue(nvme) >= 0;
}
