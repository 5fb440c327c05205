/* SPDX-License-Identifier: BSD-3-Clause */
/* Accesses of BARs by call: memory, and the registers of BAR4. */
#include "provider/soft/odd/odd.h"

#include <endian.h>
#include <string.h>
#include <time.h>

void odd_power_on(struct odd *odd)
{
	uint32_t resets = *odd_register(odd, ODD_RESETS);
	uint32_t reset_log = *odd_register(odd, ODD_RESET_LOG);

	memset(odd->registers, 0, sizeof(odd->registers));
	*odd_register(odd, ODD_IDENTITY) = ODD_IDENTITY_VALUE;
	*odd_register(odd, ODD_RESETS) = resets;
	*odd_register(odd, ODD_RESET_LOG) = reset_log;
	memset(odd->io, 0, sizeof(odd->io));
	memset(odd->table, 0, sizeof(odd->table));
	for (unsigned entry = 0; entry < ODD_VECTORS_MAX; entry++)
		odd->table[16 * entry + 12] = 1; /* masked */
	memset(odd->buffer, 0, ODD_BUFFER_SIZE);
	memset(odd->memory, 0, ODD_MEMORY_SIZE);
}

void odd_raise(struct odd *odd, uint32_t vector)
{
	if (vector >= odd->options.interrupts.vectors)
		return;
	*odd_register(odd, ODD_LINE) = odd->options.interrupts.kind == DEXT_INTERRUPT_INTX;
	soft_irq_raise(odd->device, vector);
}

/* Little-endian and single-copy atomic, since clients may have the memory mapped. */
static uint64_t load(const void *at, unsigned width)
{
	switch (width) {
	case 1:
		return __atomic_load_n((const uint8_t *)at, __ATOMIC_ACQUIRE);
	case 2:
		return le16toh(__atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE));
	case 4:
		return le32toh(__atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE));
	default:
		return le64toh(__atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE));
	}
}

static void store(void *at, unsigned width, uint64_t value)
{
	switch (width) {
	case 1:
		__atomic_store_n((uint8_t *)at, (uint8_t)value, __ATOMIC_RELEASE);
		break;
	case 2:
		__atomic_store_n((uint16_t *)at, htole16((uint16_t)value), __ATOMIC_RELEASE);
		break;
	case 4:
		__atomic_store_n((uint32_t *)at, htole32((uint32_t)value), __ATOMIC_RELEASE);
		break;
	default:
		__atomic_store_n((uint64_t *)at, htole64(value), __ATOMIC_RELEASE);
	}
}

/* The memory at @offset of @bar; NULL where BAR4 has registers. */
static void *memory_at(struct odd *odd, unsigned bar, uint64_t offset)
{
	switch (bar) {
	case ODD_BAR_IO:
		return odd->io + offset;
	case ODD_BAR_BUFFER:
		return odd->buffer + offset;
	case ODD_BAR_MEMORY:
		return odd->memory + offset;
	default:
		return offset >= ODD_TABLE && offset < ODD_TABLE + ODD_TABLE_SIZE ?
			       odd->table + (offset - ODD_TABLE) :
			       NULL;
	}
}

static uint32_t read_register(const struct odd *odd, uint64_t offset)
{
	return offset < sizeof(odd->registers) ? odd->registers[offset / 4] : 0;
}

static uint64_t read_registers(const struct odd *odd, uint64_t offset, unsigned width)
{
	uint64_t word = offset & ~UINT64_C(3);
	uint64_t value = read_register(odd, word);

	if (width == 8)
		return value | (uint64_t)read_register(odd, word + 4) << 32;
	return value >> (8 * (offset % 4)) & (UINT32_MAX >> (32 - 8 * width));
}

/* Registers that are read-only or absent ignore writes. */
static void write_register(struct odd *odd, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case ODD_SCRATCH:
	case ODD_SOURCE:
	case ODD_SOURCE + 4:
	case ODD_DESTINATION:
	case ODD_DESTINATION + 4:
	case ODD_LENGTH:
		odd->registers[offset / 4] = value;
		break;
	case ODD_RAISE:
		odd_raise(odd, value);
		break;
	case ODD_STALL:
		*odd_register(odd, ODD_STALL) = value < ODD_STALL_MAX_MS ? value : ODD_STALL_MAX_MS;
		break;
	case ODD_LINE: /* a write deasserts the line; only a vector asserts it */
		*odd_register(odd, ODD_LINE) &= value;
		break;
	case ODD_CONTROL:
		odd_engine_control(odd, value);
		break;
	}
}

/* Sleep for the duration in STALL, if the access includes that register. */
static void stall(struct odd *odd, unsigned bar, uint64_t offset, unsigned width)
{
	struct timespec left;
	uint32_t ms;

	if (bar != ODD_BAR_REGISTERS || offset >= ODD_STALL + 4 || offset + width <= ODD_STALL)
		return;
	pthread_mutex_lock(&odd->lock);
	ms = *odd_register(odd, ODD_STALL);
	pthread_mutex_unlock(&odd->lock);
	left = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
	while (nanosleep(&left, &left) != 0)
		;
}

uint64_t odd_bar_read(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width)
{
	struct odd *odd = soft_private(device);
	const void *memory = memory_at(odd, bar, offset);
	uint64_t value;

	stall(odd, bar, offset, width);
	pthread_mutex_lock(&odd->lock);
	value = memory ? load(memory, width) : read_registers(odd, offset, width);
	pthread_mutex_unlock(&odd->lock);
	return value;
}

void odd_bar_write(
	struct soft_device *device, unsigned bar, uint64_t offset, unsigned width, uint64_t value)
{
	struct odd *odd = soft_private(device);
	void *memory = memory_at(odd, bar, offset);

	pthread_mutex_lock(&odd->lock);
	if (memory) {
		store(memory, width, value);
	} else if (width >= 4) {
		write_register(odd, offset, (uint32_t)value);
		if (width == 8)
			write_register(odd, offset + 4, (uint32_t)(value >> 32));
	}
	pthread_mutex_unlock(&odd->lock);
}
