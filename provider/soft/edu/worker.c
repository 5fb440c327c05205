/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread of the device: factorials and DMA transfers, each after its delay. */
#include "provider/soft/edu/edu.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* Modulo 2^32; the product is 0 from 34 on. */
static uint32_t factorial(uint32_t value)
{
	uint32_t product = 1;

	for (; value && product; value--)
		product *= value;
	return product;
}

static bool computing(const struct edu *edu)
{
	return edu->status & EDU_STATUS_COMPUTING;
}

static bool transferring(const struct edu *edu)
{
	return edu->dma[EDU_COMMAND] & EDU_COMMAND_START;
}

static void finish_factorial(struct edu *edu)
{
	edu->factorial = factorial(edu->factorial);
	edu->status &= ~EDU_STATUS_COMPUTING;
	if (edu->status & EDU_STATUS_INTERRUPT)
		edu_interrupt(edu, EDU_INTERRUPT_FACTORIAL);
}

/* The part of the device's buffer that a transfer uses; NULL, logged, if not within it. */
static uint8_t *buffer_at(struct edu *edu, uint64_t address, uint64_t count)
{
	if (address >= EDU_BUFFER && count <= EDU_BUFFER_SIZE &&
		address - EDU_BUFFER <= EDU_BUFFER_SIZE - count)
		return edu->buffer + (address - EDU_BUFFER);
	soft_log(edu->device,
		"DMA of %llu bytes at %#llx is not within the buffer (%#llx to %#llx)",
		(unsigned long long)count, (unsigned long long)address,
		(unsigned long long)EDU_BUFFER,
		(unsigned long long)(EDU_BUFFER + EDU_BUFFER_SIZE - 1));
	return NULL;
}

/* Clear the bits of a bus address that the device does not drive, as QEMU's device does. */
static uint64_t clamp(struct edu *edu, uint64_t address)
{
	uint64_t driven = address & edu->dma_mask;

	if (driven != address)
		soft_log(edu->device, "bus address %#llx is beyond the DMA mask: clamped to %#llx",
			(unsigned long long)address, (unsigned long long)driven);
	return driven;
}

struct transfer {
	uint8_t *buffer; /* in the device; NULL: the registers are invalid */
	uint64_t address, count;
	bool from_device;
};

/* The transfer in the DMA registers. An invalid one moves nothing, but completes. The lock is held. */
static struct transfer take_transfer(struct edu *edu)
{
	uint64_t source = edu->dma[EDU_SOURCE], destination = edu->dma[EDU_DESTINATION];
	bool from_device = edu->dma[EDU_COMMAND] & EDU_COMMAND_FROM_DEVICE;
	struct transfer transfer = { .from_device = from_device, .count = edu->dma[EDU_COUNT] };

	transfer.buffer = buffer_at(edu, from_device ? source : destination, transfer.count);
	if (transfer.buffer)
		transfer.address = clamp(edu, from_device ? destination : source);
	return transfer;
}

/* The lock is held, and released during the access to memory. */
static void move(struct edu *edu, const struct transfer *transfer)
{
	uint8_t bytes[EDU_BUFFER_SIZE];
	bool moved = true;

	memcpy(bytes, transfer->buffer, transfer->count);
	edu->moving = true;
	pthread_mutex_unlock(&edu->lock);
	if (transfer->from_device)
		soft_dma_write(edu->device, transfer->address, bytes, transfer->count);
	else
		moved = soft_dma_read(edu->device, transfer->address, bytes, transfer->count);
	pthread_mutex_lock(&edu->lock);
	edu->moving = false;
	pthread_cond_broadcast(&edu->idle);
	if (moved && !transfer->from_device && transferring(edu))
		memcpy(transfer->buffer, bytes, transfer->count);
}

static void finish_transfer(struct edu *edu)
{
	struct transfer transfer = take_transfer(edu);

	if (transfer.buffer)
		move(edu, &transfer);
	if (!transferring(edu))
		return; /* cancelled by a reset */
	edu->dma[EDU_COMMAND] &= ~(uint64_t)EDU_COMMAND_START;
	if (edu->dma[EDU_COMMAND] & EDU_COMMAND_INTERRUPT)
		edu_interrupt(edu, EDU_INTERRUPT_DMA);
}

bool edu_worker_idle(struct edu *edu, const struct timespec *until)
{
	while (edu->moving)
		if (pthread_cond_timedwait(&edu->idle, &edu->lock, until) == ETIMEDOUT)
			return !edu->moving;
	return true;
}

/* Finish what is due. Return: when something is due next; UINT64_MAX: never. The lock is held. */
static uint64_t finish_due(struct edu *edu)
{
	uint64_t now = soft_now_ns(), next = UINT64_MAX;

	if (computing(edu) && edu->factorial_due_ns <= now)
		finish_factorial(edu);
	if (transferring(edu) && edu->dma_due_ns <= now)
		finish_transfer(edu);
	if (computing(edu))
		next = edu->factorial_due_ns;
	if (transferring(edu) && edu->dma_due_ns < next)
		next = edu->dma_due_ns;
	return next;
}

static void work(void *argument)
{
	struct edu *edu = argument;

	pthread_mutex_lock(&edu->lock);
	while (!edu->stop) {
		uint64_t next = finish_due(edu);
		struct timespec until = {
			.tv_sec = (time_t)(next / NS_PER_SECOND),
			.tv_nsec = (long)(next % NS_PER_SECOND),
		};

		if (next == UINT64_MAX)
			pthread_cond_wait(&edu->wake, &edu->lock);
		else
			pthread_cond_timedwait(&edu->wake, &edu->lock, &until);
	}
	pthread_mutex_unlock(&edu->lock);
}

int edu_worker_start(struct edu *edu, void (*discard)(void *edu))
{
	return soft_worker_start(edu->device, &edu->worker, work, discard, edu);
}

void edu_worker_stop(struct edu *edu)
{
	pthread_mutex_lock(&edu->lock);
	edu->stop = true;
	pthread_cond_signal(&edu->wake);
	pthread_mutex_unlock(&edu->lock);
	soft_worker_join(&edu->worker);
}
