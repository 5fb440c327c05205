/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Noticing what clients store in a mapped BAR: the memory is compared with what the
 * device last showed there. Each word is read once; what is put back is put back only if
 * the word still is what was read, so that no store that comes in between is lost.
 */
#include "provider/soft/nvme/nvme.h"

/*
 * The order in which changed registers are acted upon. CC is read first, acted upon
 * last: a host fills in the queue registers and then sets CC.EN, so that whoever sees
 * the bit also finds them. INTMC comes after INTMS: where both were written between two
 * looks, an interrupt too many does no harm, one that stays masked would.
 */
static const uint8_t watched[] = {
	NVME_REG_CC / 4,
	NVME_REG_INTMS / 4,
	NVME_REG_INTMC / 4,
	NVME_REG_AQA / 4,
	NVME_REG_ASQ / 4,
	NVME_REG_ASQ / 4 + 1,
	NVME_REG_ACQ / 4,
	NVME_REG_ACQ / 4 + 1,
	/* read-only and reserved: to be restored */
	0,
	1,
	2,
	6,
	7,
	8,
	14,
	15,
};
static_assert(sizeof(watched) == NVME_REGISTER_WORDS, "each register word is watched once");

static bool noticed(struct nvme_controller *nvme, unsigned word, uint32_t seen)
{
	struct nvme_registers *registers = &nvme->registers;

	if (seen == nvme_register_shown(registers, word))
		return false;
	nvme_register_store(nvme, word, seen);
	if (seen != nvme_register_shown(registers, word))
		nvme_bar_replace(
			registers, 4 * (size_t)word, seen, nvme_register_shown(registers, word));
	return true;
}

static bool poll_registers(struct nvme_controller *nvme)
{
	uint32_t cc = nvme_bar_load(&nvme->registers, NVME_REG_CC);
	bool changed = false;

	for (size_t i = 1; i < sizeof(watched); i++)
		changed |= noticed(
			nvme, watched[i], nvme_bar_load(&nvme->registers, 4 * (size_t)watched[i]));
	return noticed(nvme, watched[0], cc) || changed;
}

static bool poll_doorbell(struct nvme_registers *registers, unsigned index)
{
	uint32_t value = nvme_bar_load(registers, NVME_REG_DOORBELLS + 4 * (size_t)index);

	if (value == registers->doorbell[index])
		return false;
	nvme_doorbell_ring(registers, index, value);
	return true;
}

bool nvme_poll(struct nvme_controller *nvme)
{
	bool changed = poll_registers(nvme);

	for (unsigned qid = 0; qid <= nvme->queues; qid++) {
		/* Completions are taken before new commands come in: they make room. */
		if (nvme->cqs[qid].live)
			changed |= poll_doorbell(&nvme->registers, nvme_cq_doorbell(qid));
		if (nvme->sqs[qid].live)
			changed |= poll_doorbell(&nvme->registers, nvme_sq_doorbell(qid));
	}
	return changed;
}
