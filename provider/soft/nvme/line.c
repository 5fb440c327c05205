/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interrupt pin (NVMe 1.4, 7.5.1.1): asserted as long as a completion queue has an
 * entry that the host has not taken, and the mask is clear. Whoever reads STATUS sees it
 * as its own doorbell writes have left it, those to a mapped BAR too, which the worker
 * has perhaps not come to yet.
 */
#include "provider/soft/nvme/nvme.h"

#define WAITED_FOR 0x80000000u /* the queue is there, with interrupts; below it: its tail */

void nvme_line_update(struct nvme_controller *nvme, unsigned qid)
{
	const struct nvme_cq *cq = &nvme->cqs[qid];

	atomic_store(&nvme->posted[qid], cq->live && cq->interrupts ? WAITED_FOR | cq->tail : 0);
}

bool nvme_line(struct soft_device *device)
{
	struct nvme_controller *nvme = soft_private(device);

	if (nvme_interrupt_mask(nvme) & 1)
		return false;
	for (unsigned qid = 0; qid <= nvme->queues; qid++) {
		uint32_t posted = atomic_load(&nvme->posted[qid]);
		size_t doorbell = NVME_REG_DOORBELLS + 4 * (size_t)nvme_cq_doorbell(qid);

		if ((posted & WAITED_FOR) &&
			nvme_bar_load(&nvme->registers, doorbell) != (posted & ~WAITED_FOR))
			return true;
	}
	return false;
}
