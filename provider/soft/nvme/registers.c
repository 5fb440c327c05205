/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The register file. The values are here; the memory of the BAR, which clients can map
 * and write as they please, only shows them.
 */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <string.h>

#define WORD(offset) ((offset) / 4u)

/* How long a host is to wait for CSTS.RDY: a flush may be in the way of a reset. */
#define READY_TIMEOUT 60u /* in units of 500 ms */

static uint64_t capabilities(void)
{
	return (NVME_ENTRIES_MAX - 1) | NVME_CAP_CQR |
	       (uint64_t)READY_TIMEOUT << NVME_CAP_TO_SHIFT | NVME_CAP_CSS_NVM |
	       (uint64_t)NVME_PAGE_ORDERS << NVME_CAP_MPSMAX_SHIFT;
}

static uint32_t *bar_word(const struct nvme_registers *registers, size_t offset)
{
	return (uint32_t *)(void *)(registers->bar + offset);
}

uint32_t nvme_bar_load(const struct nvme_registers *registers, size_t offset)
{
	return le32toh(__atomic_load_n(bar_word(registers, offset), __ATOMIC_ACQUIRE));
}

void nvme_bar_store(struct nvme_registers *registers, size_t offset, uint32_t value)
{
	__atomic_store_n(bar_word(registers, offset), htole32(value), __ATOMIC_RELEASE);
}

bool nvme_bar_replace(
	struct nvme_registers *registers, size_t offset, uint32_t expected, uint32_t value)
{
	expected = htole32(expected);
	return __atomic_compare_exchange_n(bar_word(registers, offset), &expected, htole32(value),
		false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/*
 * Both mask registers read as the mask. In memory INTMC shows zero, though: a host that
 * unmasks writes back the very bits that are set, which would be no change to notice.
 */
uint32_t nvme_register_shown(const struct nvme_registers *registers, unsigned word)
{
	return word == WORD(NVME_REG_INTMC) ? 0 : registers->value[word];
}

static void show(struct nvme_registers *registers, unsigned word)
{
	nvme_bar_store(registers, 4 * (size_t)word, nvme_register_shown(registers, word));
}

void nvme_wake(struct nvme_registers *registers, unsigned reasons)
{
	registers->reasons |= reasons;
	pthread_cond_signal(&registers->wake);
}

/* Where memory shows something else than the old mask, a client has stored it: poll.c's. */
static void set_mask(struct nvme_registers *registers, uint32_t mask)
{
	uint32_t before = registers->value[WORD(NVME_REG_INTMS)];

	nvme_bar_replace(registers, NVME_REG_INTMS, before, mask);
	atomic_fetch_or(&registers->unmasked, before & ~mask);
	registers->value[WORD(NVME_REG_INTMS)] = mask;
	registers->value[WORD(NVME_REG_INTMC)] = mask;
	nvme_wake(registers, NVME_WAKE_OTHER);
}

static void store_intms(struct nvme_controller *nvme, unsigned word, uint32_t value)
{
	set_mask(&nvme->registers, nvme->registers.value[word] | value);
}

static void store_intmc(struct nvme_controller *nvme, unsigned word, uint32_t value)
{
	set_mask(&nvme->registers, nvme->registers.value[word] & ~value);
}

static void store_cc(struct nvme_controller *nvme, unsigned word, uint32_t value)
{
	struct nvme_registers *registers = &nvme->registers;
	unsigned reasons = NVME_WAKE_CC;

	if ((registers->value[word] & NVME_CC_EN) && !(value & NVME_CC_EN)) {
		reasons |= NVME_WAKE_DISABLED;
		atomic_store(&nvme->halt, true);
	}
	registers->value[word] = value & NVME_CC_WRITABLE;
	nvme_wake(registers, reasons);
}

struct writable {
	uint32_t mask; /* for a plain register */
	void (*store)(struct nvme_controller *nvme, unsigned word, uint32_t value);
};

/* Words that are not here are read-only. */
static const struct writable writables[NVME_REGISTER_WORDS] = {
	[WORD(NVME_REG_INTMS)] = { .store = store_intms },
	[WORD(NVME_REG_INTMC)] = { .store = store_intmc },
	[WORD(NVME_REG_CC)] = { .store = store_cc },
	[WORD(NVME_REG_AQA)] = { .mask = NVME_AQA_WRITABLE },
	[WORD(NVME_REG_ASQ)] = { .mask = NVME_QUEUE_BASE_LOW },
	[WORD(NVME_REG_ASQ) + 1] = { .mask = UINT32_MAX },
	[WORD(NVME_REG_ACQ)] = { .mask = NVME_QUEUE_BASE_LOW },
	[WORD(NVME_REG_ACQ) + 1] = { .mask = UINT32_MAX },
};

void nvme_register_store(struct nvme_controller *nvme, unsigned word, uint32_t value)
{
	const struct writable *writable = &writables[word];

	if (writable->store)
		writable->store(nvme, word, value);
	else
		nvme->registers.value[word] =
			(nvme->registers.value[word] & ~writable->mask) | (value & writable->mask);
}

size_t nvme_msix_size(const struct nvme_controller *nvme)
{
	return nvme->interrupts.kind == DEXT_INTERRUPT_MSIX ?
		       16 * (size_t)nvme->interrupts.vectors :
		       0;
}

/* All vectors masked. */
static void show_msix(struct nvme_controller *nvme)
{
	struct nvme_registers *registers = &nvme->registers;

	for (size_t at = 0; at < nvme_msix_size(nvme); at += 4)
		nvme_bar_store(registers, NVME_BAR_MSIX + at, at % 16 == 12 ? 1 : 0);
}

void nvme_registers_power_on(struct nvme_controller *nvme)
{
	struct nvme_registers *registers = &nvme->registers;

	memset(registers->value, 0, sizeof(registers->value));
	memset(registers->doorbell, 0, sizeof(registers->doorbell));
	memset(registers->rung, 0, sizeof(registers->rung));
	registers->reasons = 0;
	atomic_store(&registers->unmasked, 0);
	registers->value[WORD(NVME_REG_CAP)] = (uint32_t)capabilities();
	registers->value[WORD(NVME_REG_CAP) + 1] = (uint32_t)(capabilities() >> 32);
	registers->value[WORD(NVME_REG_VS)] = NVME_VERSION_1_4;
	for (unsigned word = 0; word < NVME_REGISTER_WORDS; word++)
		show(registers, word);
	/* What a client scribbled on reserved words is not for the next one to read. */
	for (size_t offset = 4 * NVME_REGISTER_WORDS; offset < NVME_BAR_SIZE; offset += 4)
		nvme_bar_store(registers, offset, 0);
	show_msix(nvme);
}

void nvme_registers_unmask(struct nvme_controller *nvme)
{
	pthread_mutex_lock(&nvme->registers.lock);
	set_mask(&nvme->registers, 0);
	atomic_store(&nvme->registers.unmasked, 0); /* the queues have gone too */
	pthread_mutex_unlock(&nvme->registers.lock);
}

void nvme_status_change(struct nvme_controller *nvme, uint32_t clear, uint32_t set)
{
	struct nvme_registers *registers = &nvme->registers;
	uint32_t *csts = &registers->value[WORD(NVME_REG_CSTS)];

	pthread_mutex_lock(&registers->lock);
	*csts = (*csts & ~clear) | set;
	show(registers, WORD(NVME_REG_CSTS));
	pthread_mutex_unlock(&registers->lock);
}

/* Whether the host has moved the head of a completion queue since doorbells were last taken. */
static bool has_new_heads(const struct nvme_registers *registers)
{
	for (size_t word = 0; word < sizeof(registers->rung) / sizeof(*registers->rung); word++)
		if (registers->rung[word] &
			UINT64_C(0xaaaaaaaaaaaaaaaa)) /* odd: completion queues */
			return true;
	return false;
}

uint32_t nvme_interrupt_mask(struct nvme_controller *nvme, uint32_t *unmasked)
{
	struct nvme_registers *registers = &nvme->registers;
	uint32_t mask;

	pthread_mutex_lock(&registers->lock);
	mask = registers->value[WORD(NVME_REG_INTMS)];
	/* Entries that the host took before it unmasked are no reason: heads first. */
	*unmasked = has_new_heads(registers) ? 0 : atomic_exchange(&registers->unmasked, 0);
	pthread_mutex_unlock(&registers->lock);
	return mask;
}

void nvme_doorbell_ring(struct nvme_registers *registers, unsigned index, uint32_t value)
{
	registers->doorbell[index] = value;
	registers->rung[index / 64] |= UINT64_C(1) << (index % 64);
	nvme_wake(registers, NVME_WAKE_OTHER);
}

void nvme_doorbell_clear(struct nvme_controller *nvme, unsigned index)
{
	struct nvme_registers *registers = &nvme->registers;

	pthread_mutex_lock(&registers->lock);
	registers->doorbell[index] = 0;
	registers->rung[index / 64] &= ~(UINT64_C(1) << (index % 64));
	nvme_bar_store(registers, NVME_REG_DOORBELLS + 4 * (size_t)index, 0);
	pthread_mutex_unlock(&registers->lock);
}
