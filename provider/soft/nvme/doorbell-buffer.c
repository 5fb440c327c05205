/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Doorbell Buffer Config (NVMe 1.4, 5.7 and 7.13): the host writes the doorbells of its I/O
 * queues into a buffer in its memory, the shadow doorbells, and writes the register besides only
 * where the value passes that of EventIdx, in a second buffer, which the controller writes. So
 * a controller that polls the shadow doorbells costs the host no access to a register.
 *
 * While the worker polls it leaves EventIdx alone, which has been passed already. Before it
 * sleeps it sets EventIdx to the present values and looks at the shadow doorbells once more; the
 * host writes a shadow doorbell before it reads EventIdx, so that one of them sees the other's.
 */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>

/* Of one queue pair, in both buffers: with CAP.DSTRD 0 they are laid out as the registers are. */
struct pair {
	uint32_t sq_tail, cq_head;
};

static uint64_t pair_at(uint64_t buffer, unsigned qid)
{
	return buffer + qid * sizeof(struct pair);
}

static bool is_live(const struct nvme_controller *nvme, unsigned qid)
{
	return nvme->sqs[qid].live || nvme->cqs[qid].live;
}

/*
 * A buffer that cannot be accessed: bus mastering has been disabled just now, and the host
 * will go on later, or the host has given memory that is none.
 */
static void buffer_failed(struct nvme_controller *nvme)
{
	if (soft_bus_master(nvme->device))
		nvme_fatal(nvme, "a doorbell buffer cannot be accessed");
}

static bool read_pair(struct nvme_controller *nvme, unsigned qid, struct pair *pair)
{
	_Alignas(8) struct pair shadow;

	if (!soft_dma_read(nvme->device, pair_at(nvme->doorbell_buffer.shadow, qid), &shadow,
		    sizeof(shadow))) {
		buffer_failed(nvme);
		return false;
	}
	pair->sq_tail = le32toh(shadow.sq_tail);
	pair->cq_head = le32toh(shadow.cq_head);
	return true;
}

static bool write_pair(struct nvme_controller *nvme, uint64_t buffer, unsigned qid,
	uint32_t sq_tail, uint32_t cq_head)
{
	_Alignas(8) const struct pair pair = {
		.sq_tail = htole32(sq_tail),
		.cq_head = htole32(cq_head),
	};

	if (soft_dma_write(nvme->device, pair_at(buffer, qid), &pair, sizeof(pair)))
		return true;
	buffer_failed(nvme);
	return false;
}

/* Return: whether the value is another one than the last. */
static bool take(struct nvme_controller *nvme, unsigned index, uint32_t value, uint32_t *last)
{
	nvme_doorbell_show(nvme, index, value);
	if (value == *last)
		return false;
	*last = value;
	nvme_doorbell_apply(nvme, index, value);
	return true;
}

bool nvme_doorbell_buffer_poll(struct nvme_controller *nvme)
{
	bool changed = false;

	if (!nvme->doorbell_buffer.enabled || !soft_bus_master(nvme->device))
		return false;
	for (unsigned qid = 1; qid <= nvme->queues && nvme->running; qid++) {
		struct pair pair;

		if (!is_live(nvme, qid))
			continue;
		if (!read_pair(nvme, qid, &pair))
			return changed;
		/* Completions are taken before new commands come in: they make room. */
		if (nvme->cqs[qid].live)
			changed |= take(
				nvme, nvme_cq_doorbell(qid), pair.cq_head, &nvme->cqs[qid].shadow);
		if (nvme->sqs[qid].live)
			changed |= take(
				nvme, nvme_sq_doorbell(qid), pair.sq_tail, &nvme->sqs[qid].shadow);
	}
	return changed;
}

/* The head from which on the host writes the register: only a full queue waits for a new head. */
static uint32_t head_event(const struct nvme_cq *cq)
{
	if (!cq->live || !nvme_cq_has_room(cq))
		return cq->head;
	return cq->head ? cq->head - 1 : cq->size - 1;
}

bool nvme_doorbell_buffer_arm(struct nvme_controller *nvme)
{
	if (!nvme->doorbell_buffer.enabled || !nvme->running || !soft_bus_master(nvme->device))
		return false;
	for (unsigned qid = 1; qid <= nvme->queues; qid++)
		if (is_live(nvme, qid) && !write_pair(nvme, nvme->doorbell_buffer.event_idx, qid,
						  nvme->sqs[qid].tail, head_event(&nvme->cqs[qid])))
			return false;
	atomic_thread_fence(memory_order_seq_cst);
	return nvme_doorbell_buffer_poll(nvme);
}

/* Both buffers begin with the present values, also for queues that exist already. */
uint16_t nvme_doorbell_buffer_config(struct nvme_controller *nvme, struct nvme_request *request)
{
	const struct nvme_command *command = &request->command;

	if ((command->prp1 | command->prp2) & (nvme->page - 1))
		return NVME_INVALID_FIELD;
	for (unsigned qid = 1; qid <= nvme->queues; qid++) {
		uint32_t tail = nvme->sqs[qid].tail, head = nvme->cqs[qid].head;

		if (is_live(nvme, qid) &&
			(!write_pair(nvme, command->prp1, qid, tail, head) ||
				!write_pair(nvme, command->prp2, qid, tail, head)))
			return NVME_DATA_TRANSFER_ERROR;
		nvme->sqs[qid].shadow = tail;
		nvme->cqs[qid].shadow = head;
	}
	nvme->doorbell_buffer = (struct nvme_doorbell_buffer){
		.enabled = true,
		.shadow = command->prp1,
		.event_idx = command->prp2,
	};
	return NVME_OK;
}
