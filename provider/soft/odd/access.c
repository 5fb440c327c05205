/* SPDX-License-Identifier: BSD-3-Clause */
/* Accesses of BARs by call: which bytes or registers they mean. */
#include "provider/soft/odd/odd.h"

#include <endian.h>
#include <time.h>

/* Little-endian, and in one piece: somebody may have the memory mapped. */
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

/* The bytes that keep what is written at @offset of @bar; NULL where there are registers. */
static void *bytes_at(struct odd *odd, unsigned bar, uint64_t offset)
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

static uint64_t read_registers(struct odd *odd, uint64_t offset, unsigned width)
{
	uint32_t word = (uint32_t)offset & ~3u;
	uint64_t value = odd_register_read(odd, word);

	if (width == 8)
		return value | (uint64_t)odd_register_read(odd, word + 4) << 32;
	return value >> (8 * (offset % 4)) & (UINT32_MAX >> (32 - 8 * width));
}

static void write_registers(struct odd *odd, uint64_t offset, unsigned width, uint64_t value)
{
	if (width < 4)
		return;
	odd_register_write(odd, (uint32_t)offset, (uint32_t)value);
	if (width == 8)
		odd_register_write(odd, (uint32_t)offset + 4, (uint32_t)(value >> 32));
}

/* Hang as long as the register says, if the access is one of it. */
static void stall(struct odd *odd, unsigned bar, uint64_t offset, unsigned width)
{
	struct timespec until;
	uint32_t ms;

	if (bar != ODD_BAR_REGISTERS || offset >= ODD_STALL + 4 || offset + width <= ODD_STALL)
		return;
	pthread_mutex_lock(&odd->lock);
	ms = odd->stall_ms;
	pthread_mutex_unlock(&odd->lock);
	until = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
	while (nanosleep(&until, &until) != 0)
		;
}

uint64_t odd_bar_read(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width)
{
	struct odd *odd = soft_private(device);
	const void *bytes = bytes_at(odd, bar, offset);
	uint64_t value;

	stall(odd, bar, offset, width);
	pthread_mutex_lock(&odd->lock);
	value = bytes ? load(bytes, width) : read_registers(odd, offset, width);
	pthread_mutex_unlock(&odd->lock);
	return value;
}

void odd_bar_write(
	struct soft_device *device, unsigned bar, uint64_t offset, unsigned width, uint64_t value)
{
	struct odd *odd = soft_private(device);
	void *bytes = bytes_at(odd, bar, offset);

	pthread_mutex_lock(&odd->lock);
	if (bytes)
		store(bytes, width, value);
	else
		write_registers(odd, offset, width, value);
	pthread_mutex_unlock(&odd->lock);
}
