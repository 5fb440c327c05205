/* SPDX-License-Identifier: BSD-3-Clause */
/* Submission and completion queues, their doorbells and interrupts. */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <string.h>

#define HAS_INTERRUPTS                                                                             \
	0x80000000u /* the queue exists and has interrupts enabled; below it are two tails */
#define NEXT_SHIFT 16
#define TAIL_MASK  0x7fffu

static_assert(NVME_ENTRIES_MAX <= TAIL_MASK, "tails of I/O queues fit, and AQA has twelve bits");

/*
 * Publish the tail of a completion queue for nvme_line(): @next is the tail once the entry
 * that is being written is complete, or the present tail. A host that polls its memory may
 * consume an entry, and write the doorbell, between the two calls for it: a head doorbell of
 * either value means that nothing is left.
 */
static void publish_tail(struct nvme_controller *nvme, unsigned qid, uint32_t next)
{
	const struct nvme_cq *cq = &nvme->cqs[qid];
	bool interrupts = cq->live && cq->interrupts;

	atomic_store(&nvme->posted[qid],
		interrupts ? HAS_INTERRUPTS | next << NEXT_SHIFT | cq->tail : 0);
}

void nvme_sq_create(
	struct nvme_controller *nvme, unsigned qid, uint64_t base, uint32_t size, uint16_t cqid)
{
	nvme->sqs[qid] = (struct nvme_sq){
		.live = true,
		.cqid = cqid,
		.size = size,
		.base = base,
	};
	nvme->cqs[cqid].sqs++;
	nvme_doorbell_clear(nvme, nvme_sq_doorbell(qid));
}

void nvme_sq_delete(struct nvme_controller *nvme, unsigned qid)
{
	nvme->cqs[nvme->sqs[qid].cqid].sqs--;
	nvme->sqs[qid] = (struct nvme_sq){ .live = false };
}

void nvme_cq_create(struct nvme_controller *nvme, unsigned qid, uint64_t base, uint32_t size,
	uint16_t vector, bool interrupts)
{
	nvme->cqs[qid] = (struct nvme_cq){
		.live = true,
		.interrupts = interrupts,
		.phase = true,
		.vector = vector,
		.size = size,
		.base = base,
	};
	nvme_doorbell_clear(nvme, nvme_cq_doorbell(qid));
	publish_tail(nvme, qid, 0);
}

void nvme_cq_delete(struct nvme_controller *nvme, unsigned qid)
{
	nvme->cqs[qid] = (struct nvme_cq){ .live = false };
	publish_tail(nvme, qid, 0);
}

static uint32_t distance(uint32_t from, uint32_t to, uint32_t size)
{
	return to >= from ? to - from : to + size - from;
}

static void ring_sq(struct nvme_controller *nvme, unsigned qid, uint32_t tail)
{
	struct nvme_sq *sq = &nvme->sqs[qid];

	/* New commands must fit beside those that wait: one entry always stays empty. */
	if (tail >= sq->size ||
		distance(sq->head, sq->tail, sq->size) + distance(sq->tail, tail, sq->size) >=
			sq->size) {
		nvme_error_record(nvme, NULL, (uint16_t)qid, NVME_INVALID_FIELD);
		nvme_event_happened(nvme, NVME_EVENT_DOORBELL_VALUE);
		return;
	}
	sq->tail = tail;
}

static void ring_cq(struct nvme_controller *nvme, unsigned qid, uint32_t head)
{
	struct nvme_cq *cq = &nvme->cqs[qid];

	/* No more can be taken than was posted. */
	if (head >= cq->size ||
		distance(cq->head, head, cq->size) > distance(cq->head, cq->tail, cq->size)) {
		nvme_error_record(nvme, NULL, (uint16_t)qid, NVME_INVALID_FIELD);
		nvme_event_happened(nvme, NVME_EVENT_DOORBELL_VALUE);
		return;
	}
	cq->head = head;
}

void nvme_doorbell_apply(struct nvme_controller *nvme, unsigned index, uint32_t value)
{
	unsigned qid = index / 2;
	bool completion = index & 1;

	if (!nvme->running)
		return;
	if (qid > nvme->queues || !(completion ? nvme->cqs[qid].live : nvme->sqs[qid].live)) {
		nvme_error_record(nvme, NULL, (uint16_t)qid, NVME_INVALID_FIELD);
		nvme_event_happened(nvme, NVME_EVENT_DOORBELL_REGISTER);
		return;
	}
	if (completion)
		ring_cq(nvme, qid, value);
	else
		ring_sq(nvme, qid, value);
}

bool nvme_cq_has_room(const struct nvme_cq *cq)
{
	return distance(cq->head, cq->tail, cq->size) + cq->owed < cq->size - 1;
}

/*
 * Interrupt Coalescing (NVMe 1.4, 5.21.1.8 and 7.5.1.3): of I/O queues, where both the threshold
 * and the time are set, and Interrupt Vector Configuration does not exclude the vector. An
 * interrupt is raised when a vector has as many new entries as the threshold says, or the first
 * of them is as old as the time; at once when a command has failed.
 */
#define THRESHOLD(value) (((value)&0xff) + 1)
#define TIME_NS(value)	 (((value) >> 8 & 0xff) * UINT64_C(100000))

static bool is_coalesced(const struct nvme_controller *nvme, unsigned qid)
{
	uint32_t value = nvme->features.value[NVME_FEAT_COALESCING];
	unsigned vector = nvme->cqs[qid].vector;

	/* A pin is asserted as long as there are entries. */
	return qid != 0 && TIME_NS(value) != 0 && THRESHOLD(value) > 1 &&
	       nvme->interrupts.kind != DEXT_INTERRUPT_INTX &&
	       !(nvme->features.uncoalesced[vector / 32] >> (vector % 32) & 1);
}

/* In two stores of eight bytes, the one with the phase tag last: it makes the entry valid. */
static bool write_completion(
	struct nvme_controller *nvme, uint64_t address, const struct nvme_completion *completion)
{
	const uint8_t *bytes = (const void *)completion;

	return soft_dma_write(nvme->device, address, bytes, 8) &&
	       soft_dma_write(nvme->device, address + 8, bytes + 8, 8);
}

void nvme_post(
	struct nvme_controller *nvme, unsigned sqid, uint16_t cid, uint16_t status, uint32_t result)
{
	struct nvme_sq *sq = &nvme->sqs[sqid];
	struct nvme_cq *cq = &nvme->cqs[sq->cqid];
	uint32_t next = cq->tail + 1 == cq->size ? 0 : cq->tail + 1;
	_Alignas(8) struct nvme_completion completion = {
		.result = htole32(result),
		.sq_head = htole16((uint16_t)sq->head),
		.sq_id = htole16((uint16_t)sqid),
		.cid = htole16(cid),
		.status = htole16((uint16_t)(status << 1 | (cq->phase ? 1 : 0))),
	};

	publish_tail(nvme, sq->cqid, next);
	if (!write_completion(
		    nvme, cq->base + (uint64_t)cq->tail * sizeof(completion), &completion)) {
		publish_tail(nvme, sq->cqid, cq->tail);
		nvme_fatal(nvme, "a completion queue cannot be written");
		return;
	}
	cq->tail = next;
	if (next == 0)
		cq->phase = !cq->phase;
	publish_tail(nvme, sq->cqid, cq->tail);
	cq->due = cq->interrupts;
	if (is_coalesced(nvme, sq->cqid)) {
		if (cq->held++ == 0)
			cq->held_since_ns = nvme_now_ns();
		cq->urgent |= (status & ~NVME_STATUS_MORE) != NVME_OK;
	}
}

/* Whether the same command may do better another time. */
static bool worth_a_retry(uint16_t status)
{
	return status == NVME_DATA_TRANSFER_ERROR || status == NVME_INTERNAL_ERROR ||
	       status == NVME_CAPACITY_EXCEEDED || status == NVME_UNRECOVERED_READ;
}

void nvme_complete(
	struct nvme_controller *nvme, const struct nvme_request *request, uint16_t status)
{
	if (status != NVME_OK) {
		if (!worth_a_retry(status))
			status |= NVME_STATUS_DNR;
		nvme_error_record(nvme, request, request->sqid, status);
		status |= NVME_STATUS_MORE;
	}
	nvme_post(nvme, request->sqid, request->command.cid, status, request->result);
}

void nvme_queues_clear(struct nvme_controller *nvme)
{
	memset(nvme->sqs, 0, sizeof(nvme->sqs));
	memset(nvme->cqs, 0, sizeof(nvme->cqs));
	for (unsigned qid = 0; qid <= nvme->queues; qid++)
		publish_tail(nvme, qid, 0);
}

static bool any_due(const struct nvme_controller *nvme)
{
	for (unsigned qid = 0; qid <= nvme->queues; qid++)
		if (nvme->cqs[qid].due)
			return true;
	return false;
}

/* The mask is for INTx and MSI; a host that uses MSI-X leaves it clear. */
static bool has_bit(uint32_t mask, const struct nvme_cq *cq)
{
	return cq->vector < 32 && (mask >> cq->vector & 1);
}

/* What the completion queues of a vector have, that wait for an interrupt together. */
struct held {
	unsigned entries;
	uint64_t since_ns;
	bool urgent;
};

static struct held held_for(const struct nvme_controller *nvme, unsigned vector)
{
	struct held held = { .since_ns = UINT64_MAX };

	for (unsigned qid = 1; qid <= nvme->queues; qid++) {
		const struct nvme_cq *cq = &nvme->cqs[qid];

		if (!cq->due || cq->vector != vector)
			continue;
		held.entries += cq->held;
		held.urgent |= cq->urgent;
		if (cq->held && cq->held_since_ns < held.since_ns)
			held.since_ns = cq->held_since_ns;
	}
	return held;
}

/*
 * Whether the interrupt of a queue waits for more entries. Without any that are held, it is due
 * for others, which were masked or posted before coalescing was switched on.
 */
static bool hold_back(struct nvme_controller *nvme, unsigned qid)
{
	uint32_t value = nvme->features.value[NVME_FEAT_COALESCING];
	struct held held;
	uint64_t until;

	if (!is_coalesced(nvme, qid))
		return false;
	held = held_for(nvme, nvme->cqs[qid].vector);
	if (held.urgent || held.entries == 0 || held.entries >= THRESHOLD(value))
		return false;
	until = held.since_ns + TIME_NS(value);
	if (nvme_now_ns() >= until)
		return false;
	if (!nvme->raise_at_ns || until < nvme->raise_at_ns)
		nvme->raise_at_ns = until;
	return true;
}

void nvme_interrupts_raise(struct nvme_controller *nvme)
{
	uint32_t raised[NVME_VECTORS_MAX / 32] = { 0 };
	uint32_t mask, unmasked;

	if (!any_due(nvme) && !atomic_load(&nvme->registers.unmasked))
		return;
	mask = nvme_interrupt_mask(nvme, &unmasked);
	for (unsigned qid = 0; qid <= nvme->queues; qid++) {
		struct nvme_cq *cq = &nvme->cqs[qid];
		uint32_t *word = &raised[cq->vector / 32], bit = 1u << (cq->vector % 32);

		/* Entries left in the queue raise the interrupt again when it is unmasked. */
		if (cq->live && has_bit(unmasked, cq))
			cq->due = cq->urgent = cq->interrupts;
		if (!cq->due || has_bit(mask, cq))
			continue;
		/* What is held goes along with an interrupt of its vector. */
		if (!(*word & bit) && hold_back(nvme, qid))
			continue;
		*word |= bit;
		cq->due = cq->urgent = false;
		cq->held = 0;
		if (cq->head != cq->tail)
			soft_irq_raise(nvme->device, cq->vector);
	}
}

/*
 * The interrupt pin (NVMe 1.4, 7.5.1.1): asserted while a completion queue has an entry that
 * the host has not consumed, and INTMS is clear. Heads are read from the BAR's memory, so that
 * a host that reads STATUS sees the effect of its own doorbell writes at once.
 */

/* The lock is held. */
static bool has_entries(struct nvme_controller *nvme, unsigned qid)
{
	size_t doorbell = NVME_REG_DOORBELLS + 4 * (size_t)nvme_cq_doorbell(qid);
	uint32_t posted, head;

	/* Read both until they belong together. */
	do {
		posted = atomic_load(&nvme->posted[qid]);
		head = nvme_bar_load(&nvme->registers, doorbell);
	} while (posted != atomic_load(&nvme->posted[qid]));
	return (posted & HAS_INTERRUPTS) && head != (posted & TAIL_MASK) &&
	       head != (posted >> NEXT_SHIFT & TAIL_MASK);
}

bool nvme_line(struct soft_device *device)
{
	struct nvme_controller *nvme = soft_private(device);
	struct nvme_registers *registers = &nvme->registers;
	bool asserted = false;

	pthread_mutex_lock(&registers->lock);
	if (!(registers->value[NVME_REG_INTMS / 4] & 1))
		for (unsigned qid = 0; qid <= nvme->queues && !asserted; qid++)
			asserted = has_entries(nvme, qid);
	pthread_mutex_unlock(&registers->lock);
	return asserted;
}
