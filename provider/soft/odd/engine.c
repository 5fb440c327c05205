/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DMA engine: a thread that executes a transfer piece by piece. It moves a piece without
 * the lock, so that registers can be accessed meanwhile; between two pieces it checks whether
 * the transfer has been cancelled.
 */
#include "provider/soft/odd/odd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t read64(const struct odd *odd, enum odd_register_offset offset)
{
	return odd->registers[offset / 4] | (uint64_t)odd->registers[offset / 4 + 1] << 32;
}

static bool within_buffer(uint64_t offset, uint64_t length)
{
	return length <= ODD_BUFFER_SIZE && offset <= ODD_BUFFER_SIZE - length;
}

/* Whether the parts of the transfer that are in the internal buffer lie within it. */
static bool possible(const struct odd_transfer *transfer)
{
	if ((transfer->control & ODD_CONTROL_FROM_BUFFER) &&
		!within_buffer(transfer->source, transfer->left))
		return false;
	return !(transfer->control & ODD_CONTROL_TO_BUFFER) ||
	       within_buffer(transfer->destination, transfer->left);
}

/* The lock is held. */
static void finish(struct odd *odd, bool failed)
{
	uint32_t control = odd->transfer.control, vector = control >> ODD_CONTROL_VECTOR_SHIFT;

	*odd_register(odd, ODD_DMA_STATUS) = ODD_DMA_DONE | (failed ? ODD_DMA_FAILED : 0);
	if (control & ODD_CONTROL_RAISE)
		odd_raise(odd, vector);
}

void odd_engine_control(struct odd *odd, uint32_t control)
{
	if (!(control & ODD_CONTROL_GO) || (*odd_register(odd, ODD_DMA_STATUS) & ODD_DMA_RUNS))
		return;
	odd->transfer = (struct odd_transfer){
		.source = read64(odd, ODD_SOURCE),
		.destination = read64(odd, ODD_DESTINATION),
		.left = *odd_register(odd, ODD_LENGTH),
		.control = control,
	};
	if (!possible(&odd->transfer)) {
		finish(odd, true);
		return;
	}
	*odd_register(odd, ODD_DMA_STATUS) = ODD_DMA_RUNS;
	pthread_cond_signal(&odd->wake);
}

bool odd_engine_cancel(struct odd *odd, const struct timespec *until)
{
	*odd_register(odd, ODD_DMA_STATUS) = 0;
	while (odd->moving)
		if (pthread_cond_timedwait(&odd->idle, &odd->lock, until) == ETIMEDOUT)
			return !odd->moving;
	return true;
}

/* One side of a piece. The lock is not held. */
static bool fetch(struct odd *odd, const struct odd_transfer *transfer, size_t length)
{
	if (!(transfer->control & ODD_CONTROL_FROM_BUFFER))
		return soft_dma_read(odd->device, transfer->source, odd->bounce, length);
	pthread_mutex_lock(&odd->lock);
	memcpy(odd->bounce, odd->buffer + transfer->source, length);
	pthread_mutex_unlock(&odd->lock);
	return true;
}

static bool deliver(struct odd *odd, const struct odd_transfer *transfer, size_t length)
{
	if (!(transfer->control & ODD_CONTROL_TO_BUFFER))
		return soft_dma_write(odd->device, transfer->destination, odd->bounce, length);
	pthread_mutex_lock(&odd->lock);
	memcpy(odd->buffer + transfer->destination, odd->bounce, length);
	pthread_mutex_unlock(&odd->lock);
	return true;
}

/* Move the next piece. The lock is held, and released during the move. */
static void move_piece(struct odd *odd)
{
	struct odd_transfer transfer = odd->transfer;
	size_t length =
		transfer.left < ODD_BUFFER_SIZE ? (size_t)transfer.left : (size_t)ODD_BUFFER_SIZE;
	bool moved;

	odd->moving = true;
	pthread_mutex_unlock(&odd->lock);
	moved = fetch(odd, &transfer, length) && deliver(odd, &transfer, length);
	pthread_mutex_lock(&odd->lock);
	odd->moving = false;
	pthread_cond_broadcast(&odd->idle);
	if (!(*odd_register(odd, ODD_DMA_STATUS) & ODD_DMA_RUNS))
		return; /* cancelled */
	odd->transfer.source += length;
	odd->transfer.destination += length;
	odd->transfer.left -= length;
	if (!moved || !odd->transfer.left)
		finish(odd, !moved);
}

static void work(void *argument)
{
	struct odd *odd = argument;

	pthread_mutex_lock(&odd->lock);
	while (!odd->stop) {
		if (*odd_register(odd, ODD_DMA_STATUS) & ODD_DMA_RUNS)
			move_piece(odd);
		else
			pthread_cond_wait(&odd->wake, &odd->lock);
	}
	pthread_mutex_unlock(&odd->lock);
}

static void release(struct odd *odd)
{
	pthread_cond_destroy(&odd->idle);
	pthread_cond_destroy(&odd->wake);
	pthread_mutex_destroy(&odd->lock);
	free(odd->bounce);
}

/* Called on the thread when it was abandoned and its access has ended. */
static void discard(void *odd)
{
	release(odd);
	free(odd);
}

bool odd_engine_start(struct odd *odd, struct spec_error *error)
{
	pthread_condattr_t monotonic;
	int failure;

	odd->bounce = malloc(ODD_BUFFER_SIZE);
	if (!odd->bounce)
		return spec_fail(error, "odd: out of memory");
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&odd->lock, NULL);
	pthread_cond_init(&odd->wake, NULL);
	pthread_cond_init(&odd->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	failure = soft_worker_start(odd->device, &odd->worker, work, discard, odd);
	if (failure) {
		release(odd);
		return spec_fail(error, "odd: cannot start its thread: %s", strerror(failure));
	}
	return true;
}

void odd_engine_stop(struct odd *odd)
{
	pthread_mutex_lock(&odd->lock);
	odd->stop = true;
	pthread_cond_signal(&odd->wake);
	pthread_mutex_unlock(&odd->lock);
	soft_worker_join(&odd->worker);
	release(odd);
}
