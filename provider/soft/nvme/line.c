/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interrupt pin (NVMe 1.4, 7.5.1.1): asserted as long as a completion queue has an
 * entry that the host has not taken, and the mask is clear. Whoever reads STATUS sees it
 * as its own doorbell writes have left it, those to a mapped BAR too, which the worker
 * has perhaps not come to yet.
 *
 * A host that looks at its memory all the time may take an entry, and say so, before the
 * worker has got from writing it to saying that it is there. So the worker says what it is
 * about to write, too: a doorbell of either value leaves nothing to be taken.
 */
#include "provider/soft/nvme/nvme.h"

#define WAITED_FOR 0x80000000u /* the queue is there, with interrupts; below it: two tails */
#define NEXT_SHIFT 16
#define TAIL_MASK  0x7fffu

static_assert(NVME_ENTRIES_MAX <= TAIL_MASK, "tails of I/O queues fit, and AQA has twelve bits");

static void publish(struct nvme_controller *nvme, unsigned qid, uint32_t next)
{
	const struct nvme_cq *cq = &nvme->cqs[qid];
	bool waited_for = cq->live && cq->interrupts;

	atomic_store(
		&nvme->posted[qid], waited_for ? WAITED_FOR | next << NEXT_SHIFT | cq->tail : 0);
}

void nvme_line_expect(struct nvme_controller *nvme, unsigned qid, uint32_t next)
{
	publish(nvme, qid, next);
}

void nvme_line_update(struct nvme_controller *nvme, unsigned qid)
{
	publish(nvme, qid, nvme->cqs[qid].tail);
}

/* The lock is held. */
static bool has_entries(struct nvme_controller *nvme, unsigned qid)
{
	size_t doorbell = NVME_REG_DOORBELLS + 4 * (size_t)nvme_cq_doorbell(qid);
	uint32_t posted, head;

	/* Both as they were at one time. */
	do {
		posted = atomic_load(&nvme->posted[qid]);
		head = nvme_bar_load(&nvme->registers, doorbell);
	} while (posted != atomic_load(&nvme->posted[qid]));
	return (posted & WAITED_FOR) && head != (posted & TAIL_MASK) &&
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
