/* SPDX-License-Identifier: BSD-3-Clause */
/* BAR accesses by call. They act at once, on the register file, in 32-bit words. */
#include "provider/soft/nvme/nvme.h"

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
	nvme_register_store(nvme, (unsigned)(offset / 4), value);
	nvme_bar_store(&nvme->registers, offset,
		nvme_register_shown(&nvme->registers, (unsigned)(offset / 4)));
}

static void write_doorbell(struct nvme_controller *nvme, size_t offset, uint32_t value)
{
	nvme_bar_store(&nvme->registers, offset, value);
	nvme_doorbell_ring(&nvme->registers, (unsigned)((offset - NVME_REG_DOORBELLS) / 4), value);
}

/* The MSI-X table is plain memory; who routes the vectors is the framework. */
static void write_table(struct nvme_controller *nvme, size_t offset, uint32_t value)
{
	if (offset >= NVME_BAR_MSIX && offset < NVME_BAR_MSIX + nvme_msix_size(nvme))
		nvme_bar_store(&nvme->registers, offset, value);
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
