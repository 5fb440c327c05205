/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The registers. What is read where there is none, what can only be written, and an
 * access of a width that is not allowed there read as all ones; writes of these kinds
 * do nothing.
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

static uint32_t read_identification(const struct edu *edu)
{
	(void)edu;
	return EDU_IDENTITY;
}

static uint32_t read_liveness(const struct edu *edu)
{
	return edu->liveness;
}

static void write_liveness(struct edu *edu, uint32_t value)
{
	edu->liveness = ~value;
}

static uint32_t read_factorial(const struct edu *edu)
{
	return edu->factorial;
}

static void write_factorial(struct edu *edu, uint32_t value)
{
	if (edu->status & EDU_STATUS_COMPUTING)
		return;
	edu->factorial = value;
	edu->status |= EDU_STATUS_COMPUTING;
	edu->factorial_due_ns = edu_due_ns(edu);
	pthread_cond_signal(&edu->wake);
}

static uint32_t read_status(const struct edu *edu)
{
	return edu->status;
}

static void write_status(struct edu *edu, uint32_t value)
{
	edu->status = (edu->status & ~EDU_STATUS_INTERRUPT) | (value & EDU_STATUS_INTERRUPT);
}

static uint32_t read_interrupt_status(const struct edu *edu)
{
	return edu->interrupts;
}

static void acknowledge(struct edu *edu, uint32_t value)
{
	edu->interrupts &= ~value;
}

/* The registers below the DMA engine's: 4 bytes, and accessed so alone. */
static const struct edu_register {
	uint32_t offset;
	uint32_t (*read)(const struct edu *edu);
	void (*write)(struct edu *edu, uint32_t value);
} registers[] = {
	{ EDU_IDENTIFICATION, read_identification, NULL },
	{ EDU_LIVENESS, read_liveness, write_liveness },
	{ EDU_FACTORIAL, read_factorial, write_factorial },
	{ EDU_STATUS, read_status, write_status },
	{ EDU_INTERRUPT_STATUS, read_interrupt_status, NULL },
	{ EDU_INTERRUPT_RAISE, NULL, edu_interrupt },
	{ EDU_INTERRUPT_ACKNOWLEDGE, NULL, acknowledge },
};

static const struct edu_register *find(uint64_t offset, unsigned width)
{
	for (size_t i = 0; i < sizeof(registers) / sizeof(*registers); i++)
		if (registers[i].offset == offset && width == 4)
			return &registers[i];
	return NULL;
}

/* The DMA register at @offset; EDU_DMA_REGISTERS for none. */
static unsigned find_dma(uint64_t offset, unsigned width)
{
	uint64_t index = (offset - EDU_DMA_SOURCE) / 8;

	if (offset < EDU_DMA_SOURCE || offset % 8 || (width != 4 && width != 8))
		return EDU_DMA_REGISTERS;
	return index < EDU_DMA_REGISTERS ? (unsigned)index : EDU_DMA_REGISTERS;
}

/* A write of four bytes clears the upper half: the register takes the value as a whole. */
static void write_dma(struct edu *edu, unsigned index, uint64_t value)
{
	if (edu->dma[EDU_COMMAND] & EDU_COMMAND_START)
		return;
	if (index == EDU_COMMAND) {
		if (!(value & EDU_COMMAND_START))
			return;
		edu->dma_due_ns = edu_due_ns(edu);
		pthread_cond_signal(&edu->wake);
	}
	edu->dma[index] = value;
}

uint64_t edu_bar_read(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width)
{
	struct edu *edu = soft_private(device);
	const struct edu_register *found = find(offset, width);
	unsigned dma = find_dma(offset, width);
	uint64_t ones = UINT64_MAX >> (64 - 8 * width), value = ones;

	(void)bar; /* there is one */
	pthread_mutex_lock(&edu->lock);
	if (found && found->read)
		value = found->read(edu);
	else if (dma < EDU_DMA_REGISTERS)
		value = edu->dma[dma] & ones;
	pthread_mutex_unlock(&edu->lock);
	return value;
}

void edu_bar_write(
	struct soft_device *device, unsigned bar, uint64_t offset, unsigned width, uint64_t value)
{
	struct edu *edu = soft_private(device);
	const struct edu_register *found = find(offset, width);
	unsigned dma = find_dma(offset, width);

	(void)bar;
	pthread_mutex_lock(&edu->lock);
	if (found && found->write)
		found->write(edu, (uint32_t)value);
	else if (dma < EDU_DMA_REGISTERS)
		write_dma(edu, dma, value);
	pthread_mutex_unlock(&edu->lock);
}
