/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The controller registers and doorbells (NVMe 1.4, 3.1). Their values are in struct
 * nvme_registers; the memory of BAR0, which clients can map and write, only shows them.
 * Accesses by call act on the values at once. Stores to a mapped BAR are found by comparing
 * the memory with what was last shown: each word is read once, and is put back only if it
 * still is what was read, so that no store in between is lost.
 */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <string.h>

#define WORD(offset) ((offset) / 4u)

/* How long a host is to wait for CSTS.RDY: a write may be in the way of a reset. */
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

static void bar_store(struct nvme_registers *registers, size_t offset, uint32_t value)
{
	__atomic_store_n(bar_word(registers, offset), htole32(value), __ATOMIC_RELEASE);
}

static bool bar_replace(
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
static uint32_t shown(const struct nvme_registers *registers, unsigned word)
{
	return word == WORD(NVME_REG_INTMC) ? 0 : registers->value[word];
}

static void show(struct nvme_registers *registers, unsigned word)
{
	bar_store(registers, 4 * (size_t)word, shown(registers, word));
}

void nvme_wake(struct nvme_registers *registers, unsigned reasons)
{
	registers->reasons |= reasons;
	pthread_cond_signal(&registers->wake);
}

/* Memory that shows another value than the old mask was written by a client: poll() finds that. */
static void set_mask(struct nvme_registers *registers, uint32_t mask)
{
	uint32_t before = registers->value[WORD(NVME_REG_INTMS)];

	bar_replace(registers, NVME_REG_INTMS, before, mask);
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

static void store_register(struct nvme_controller *nvme, unsigned word, uint32_t value)
{
	const struct writable *writable = &writables[word];

	if (writable->store)
		writable->store(nvme, word, value);
	else
		nvme->registers.value[word] =
			(nvme->registers.value[word] & ~writable->mask) | (value & writable->mask);
}

static size_t msix_size(const struct nvme_controller *nvme)
{
	return nvme->interrupts.kind == DEXT_INTERRUPT_MSIX ?
		       16 * (size_t)nvme->interrupts.vectors :
		       0;
}

/* All vectors masked. */
static void show_msix(struct nvme_controller *nvme)
{
	struct nvme_registers *registers = &nvme->registers;

	for (size_t at = 0; at < msix_size(nvme); at += 4)
		bar_store(registers, NVME_BAR_MSIX + at, at % 16 == 12 ? 1 : 0);
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
	/* The next client does not read what this one stored in reserved words. */
	for (size_t offset = 4 * NVME_REGISTER_WORDS; offset < NVME_BAR_SIZE; offset += 4)
		bar_store(registers, offset, 0);
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

/* Whether a completion queue head doorbell was written and is not applied yet. */
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
	/*
	 * Entries that the host consumed before it unmasked raise nothing: doorbells are
	 * applied first, and until then a vector counts as masked, or it is raised twice.
	 */
	if (has_new_heads(registers)) {
		mask |= atomic_load(&registers->unmasked);
		*unmasked = 0;
	} else {
		*unmasked = atomic_exchange(&registers->unmasked, 0);
	}
	pthread_mutex_unlock(&registers->lock);
	return mask;
}

static void doorbell_ring(struct nvme_registers *registers, unsigned index, uint32_t value)
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
	bar_store(registers, NVME_REG_DOORBELLS + 4 * (size_t)index, 0);
	pthread_mutex_unlock(&registers->lock);
}

void nvme_doorbell_show(struct nvme_controller *nvme, unsigned index, uint32_t value)
{
	struct nvme_registers *registers = &nvme->registers;

	pthread_mutex_lock(&registers->lock);
	if (value != registers->doorbell[index]) {
		registers->doorbell[index] = value;
		bar_store(registers, NVME_REG_DOORBELLS + 4 * (size_t)index, value);
	}
	pthread_mutex_unlock(&registers->lock);
}

void nvme_fatal(struct nvme_controller *nvme, const char *why)
{
	nvme->running = false;
	nvme_status_change(nvme, 0, NVME_CSTS_CFS);
	soft_log(nvme->device, "controller fatal status: %s; waiting for a reset", why);
}

static uint32_t read_word(struct nvme_registers *registers, size_t offset)
{
	if (offset < 4 * NVME_REGISTER_WORDS)
		return registers->value[offset / 4];
	if (offset < NVME_REG_DOORBELLS)
		return 0;
	if (offset < NVME_REG_DOORBELLS + 4 * NVME_DOORBELLS)
		return registers->doorbell[(offset - NVME_REG_DOORBELLS) / 4];
	return nvme_bar_load(registers, offset);
}

uint64_t nvme_bar_read(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width)
{
	struct nvme_controller *nvme = soft_private(device);
	struct nvme_registers *registers = &nvme->registers;
	uint64_t value;

	if (bar != 0 || offset >= NVME_BAR_SIZE || width > NVME_BAR_SIZE - offset)
		return UINT64_MAX;
	pthread_mutex_lock(&registers->lock);
	value = read_word(registers, offset & ~UINT64_C(3));
	if (width == 8)
		value |= (uint64_t)read_word(registers, (offset & ~UINT64_C(3)) + 4) << 32;
	pthread_mutex_unlock(&registers->lock);
	value >>= 8 * (offset & 3);
	return width >= 8 ? value : value & ((UINT64_C(1) << (8 * width)) - 1);
}

static void write_register(struct nvme_controller *nvme, size_t offset, uint32_t value)
{
	if (offset >= 4 * NVME_REGISTER_WORDS)
		return;
	store_register(nvme, (unsigned)(offset / 4), value);
	bar_store(&nvme->registers, offset, shown(&nvme->registers, (unsigned)(offset / 4)));
}

static void write_doorbell(struct nvme_controller *nvme, size_t offset, uint32_t value)
{
	bar_store(&nvme->registers, offset, value);
	doorbell_ring(&nvme->registers, (unsigned)((offset - NVME_REG_DOORBELLS) / 4), value);
}

/* The MSI-X table is plain memory; the framework routes the vectors. */
static void write_table(struct nvme_controller *nvme, size_t offset, uint32_t value)
{
	if (offset >= NVME_BAR_MSIX && offset < NVME_BAR_MSIX + msix_size(nvme))
		bar_store(&nvme->registers, offset, value);
}

static void write_word(struct nvme_controller *nvme, size_t offset, uint32_t value)
{
	if (offset < NVME_REG_DOORBELLS)
		write_register(nvme, offset, value);
	else if (offset < NVME_REG_DOORBELLS + 4 * NVME_DOORBELLS)
		write_doorbell(nvme, offset, value);
	else
		write_table(nvme, offset, value);
}

void nvme_bar_write(
	struct soft_device *device, unsigned bar, uint64_t offset, unsigned width, uint64_t value)
{
	struct nvme_controller *nvme = soft_private(device);

	/* The specification leaves narrower or unaligned writes undefined: they do nothing. */
	if (bar != 0 || offset >= NVME_BAR_SIZE || width > NVME_BAR_SIZE - offset || width < 4 ||
		(offset & 3))
		return;
	pthread_mutex_lock(&nvme->registers.lock);
	write_word(nvme, offset, (uint32_t)value);
	if (width == 8)
		write_word(nvme, offset + 4, (uint32_t)(value >> 32));
	pthread_mutex_unlock(&nvme->registers.lock);
}

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

static bool poll_register(struct nvme_controller *nvme, unsigned word, uint32_t seen)
{
	struct nvme_registers *registers = &nvme->registers;

	if (seen == shown(registers, word))
		return false;
	store_register(nvme, word, seen);
	if (seen != shown(registers, word))
		bar_replace(registers, 4 * (size_t)word, seen, shown(registers, word));
	return true;
}

static bool poll_registers(struct nvme_controller *nvme)
{
	uint32_t cc = nvme_bar_load(&nvme->registers, NVME_REG_CC);
	bool changed = false;

	for (size_t i = 1; i < sizeof(watched); i++)
		changed |= poll_register(
			nvme, watched[i], nvme_bar_load(&nvme->registers, 4 * (size_t)watched[i]));
	return poll_register(nvme, watched[0], cc) || changed;
}

static bool poll_doorbell(struct nvme_registers *registers, unsigned index)
{
	uint32_t value = nvme_bar_load(registers, NVME_REG_DOORBELLS + 4 * (size_t)index);

	if (value == registers->doorbell[index])
		return false;
	doorbell_ring(registers, index, value);
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
