/* SPDX-License-Identifier: BSD-3-Clause */
/* The registers of BAR4, one row of a table each. */
#include "provider/soft/odd/odd.h"

#include <string.h>

void odd_power_on(struct odd *odd)
{
	odd->scratch = 0;
	odd->stall_ms = 0;
	odd->line = false;
	odd->source = 0;
	odd->destination = 0;
	odd->length = 0;
	odd->dma_status = 0;
	memset(odd->io, 0, sizeof(odd->io));
	memset(odd->table, 0, sizeof(odd->table));
	for (unsigned entry = 0; entry < ODD_VECTORS_MAX; entry++)
		odd->table[16 * entry + 12] = 1; /* masked */
	memset(odd->buffer, 0, ODD_BUFFER_SIZE);
	memset(odd->memory, 0, ODD_MEMORY_SIZE);
}

static uint32_t read_identity(const struct odd *odd)
{
	(void)odd;
	return ODD_IDENTITY_VALUE;
}

static uint32_t read_scratch(const struct odd *odd)
{
	return odd->scratch;
}

static void write_scratch(struct odd *odd, uint32_t value)
{
	odd->scratch = value;
}

static uint32_t read_resets(const struct odd *odd)
{
	return odd->resets;
}

static uint32_t read_reset_log(const struct odd *odd)
{
	return odd->reset_log;
}

void odd_raise(struct odd *odd, uint32_t vector)
{
	if (vector >= odd->options.interrupts.vectors)
		return;
	odd->line = odd->options.interrupts.kind == DEXT_INTERRUPT_INTX;
	soft_irq_raise(odd->device, vector);
}

static uint32_t read_line(const struct odd *odd)
{
	return odd->line;
}

/* It takes a vector to assert it. */
static void write_line(struct odd *odd, uint32_t value)
{
	odd->line = odd->line && (value & 1);
}

static uint32_t read_stall(const struct odd *odd)
{
	return odd->stall_ms;
}

static void write_stall(struct odd *odd, uint32_t ms)
{
	odd->stall_ms = ms < ODD_STALL_MAX_MS ? ms : ODD_STALL_MAX_MS;
}

static uint32_t read_source(const struct odd *odd)
{
	return (uint32_t)odd->source;
}

static uint32_t read_source_high(const struct odd *odd)
{
	return (uint32_t)(odd->source >> 32);
}

static void write_source(struct odd *odd, uint32_t value)
{
	odd->source = (odd->source & ~(uint64_t)UINT32_MAX) | value;
}

static void write_source_high(struct odd *odd, uint32_t value)
{
	odd->source = (uint32_t)odd->source | (uint64_t)value << 32;
}

static uint32_t read_destination(const struct odd *odd)
{
	return (uint32_t)odd->destination;
}

static uint32_t read_destination_high(const struct odd *odd)
{
	return (uint32_t)(odd->destination >> 32);
}

static void write_destination(struct odd *odd, uint32_t value)
{
	odd->destination = (odd->destination & ~(uint64_t)UINT32_MAX) | value;
}

static void write_destination_high(struct odd *odd, uint32_t value)
{
	odd->destination = (uint32_t)odd->destination | (uint64_t)value << 32;
}

static uint32_t read_length(const struct odd *odd)
{
	return odd->length;
}

static void write_length(struct odd *odd, uint32_t value)
{
	odd->length = value;
}

static uint32_t read_dma_status(const struct odd *odd)
{
	return odd->dma_status;
}

static const struct odd_register {
	uint32_t offset;
	uint32_t (*read)(const struct odd *odd);
	void (*write)(struct odd *odd, uint32_t value);
} registers[] = {
	{ ODD_IDENTITY, read_identity, NULL },
	{ ODD_SCRATCH, read_scratch, write_scratch },
	{ ODD_RESETS, read_resets, NULL },
	{ ODD_RESET_LOG, read_reset_log, NULL },
	{ ODD_RAISE, NULL, odd_raise },
	{ ODD_STALL, read_stall, write_stall },
	{ ODD_LINE, read_line, write_line },
	{ ODD_SOURCE, read_source, write_source },
	{ ODD_SOURCE + 4, read_source_high, write_source_high },
	{ ODD_DESTINATION, read_destination, write_destination },
	{ ODD_DESTINATION + 4, read_destination_high, write_destination_high },
	{ ODD_LENGTH, read_length, write_length },
	{ ODD_CONTROL, NULL, odd_engine_control },
	{ ODD_DMA_STATUS, read_dma_status, NULL },
};

static const struct odd_register *find(uint32_t offset)
{
	for (size_t i = 0; i < sizeof(registers) / sizeof(*registers); i++)
		if (registers[i].offset == offset)
			return &registers[i];
	return NULL;
}

uint32_t odd_register_read(struct odd *odd, uint32_t offset)
{
	const struct odd_register *found = find(offset);

	return found && found->read ? found->read(odd) : 0;
}

void odd_register_write(struct odd *odd, uint32_t offset, uint32_t value)
{
	const struct odd_register *found = find(offset);

	if (found && found->write)
		found->write(odd, value);
}
