/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The registers. A read of an absent or write-only register, or with a width that the
 * register does not allow, returns all ones; such a write is ignored.
 */
#include "provider/soft/edu/edu.h"

#include <string.h>

void edu_interrupt(struct edu *edu, uint32_t bits)
{
	edu->interrupts |= bits;
	if (edu->interrupts)
		soft_irq_raise(edu->device, 0);
}

void edu_power_on(struct edu *edu)
{
	edu->liveness = 0;
	edu->factorial = 0;
	edu->status = 0;
	edu->interrupts = 0;
	memset(edu->dma, 0, sizeof(edu->dma));
	memset(edu->buffer, 0, sizeof(edu->buffer));
}

/* The DMA register at @offset; EDU_DMA_REGISTERS for none. */
static unsigned find_dma(uint64_t offset, unsigned width)
{
	uint64_t index = (offset - EDU_DMA_SOURCE) / 8;

	if (offset < EDU_DMA_SOURCE || offset % 8 || (width != 4 && width != 8))
		return EDU_DMA_REGISTERS;
	return index < EDU_DMA_REGISTERS ? (unsigned)index : EDU_DMA_REGISTERS;
}

/* A write of four bytes clears the upper half of the register. */
static void write_dma(struct edu *edu, unsigned index, uint64_t value)
{
	if (edu->dma[EDU_COMMAND] & EDU_COMMAND_START)
		return;
	if (index == EDU_COMMAND) {
		if (!(value & EDU_COMMAND_START))
			return;
		edu->dma_due_ns = soft_now_ns() + edu->delay_ns;
		pthread_cond_signal(&edu->wake);
	}
	edu->dma[index] = value;
}

/* Return: false for a register that does not exist or cannot be read. The lock is held. */
static bool read_register(const struct edu *edu, uint64_t offset, uint64_t *value)
{
	switch (offset) {
	case EDU_IDENTIFICATION:
		*value = EDU_IDENTITY;
		return true;
	case EDU_LIVENESS:
		*value = edu->liveness;
		return true;
	case EDU_FACTORIAL:
		*value = edu->factorial;
		return true;
	case EDU_STATUS:
		*value = edu->status;
		return true;
	case EDU_INTERRUPT_STATUS:
		*value = edu->interrupts;
		return true;
	default:
		return false;
	}
}

static void write_register(struct edu *edu, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case EDU_LIVENESS:
		edu->liveness = ~value;
		break;
	case EDU_FACTORIAL:
		if (edu->status & EDU_STATUS_COMPUTING)
			break;
		edu->factorial = value;
		edu->status |= EDU_STATUS_COMPUTING;
		edu->factorial_due_ns = soft_now_ns() + edu->delay_ns;
		pthread_cond_signal(&edu->wake);
		break;
	case EDU_STATUS:
		edu->status =
			(edu->status & ~EDU_STATUS_INTERRUPT) | (value & EDU_STATUS_INTERRUPT);
		break;
	case EDU_INTERRUPT_RAISE:
		edu_interrupt(edu, value);
		break;
	case EDU_INTERRUPT_ACKNOWLEDGE:
		edu->interrupts &= ~value;
		break;
	}
}

uint64_t edu_bar_read(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width)
{
	struct edu *edu = soft_private(device);
	unsigned dma = find_dma(offset, width);
	uint64_t ones = UINT64_MAX >> (64 - 8 * width), value;

	(void)bar; /* only BAR0 is implemented */
	pthread_mutex_lock(&edu->lock);
	if (dma < EDU_DMA_REGISTERS)
		value = edu->dma[dma] & ones;
	else if (width != 4 || !read_register(edu, offset, &value))
		value = ones;
	pthread_mutex_unlock(&edu->lock);
	return value;
}

void edu_bar_write(
	struct soft_device *device, unsigned bar, uint64_t offset, unsigned width, uint64_t value)
{
	struct edu *edu = soft_private(device);
	unsigned dma = find_dma(offset, width);

	(void)bar;
	pthread_mutex_lock(&edu->lock);
	if (dma < EDU_DMA_REGISTERS)
		write_dma(edu, dma, value);
	else if (width == 4)
		write_register(edu, offset, (uint32_t)value);
	pthread_mutex_unlock(&edu->lock);
}
