/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/irq-listener.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_SECONDS 60

/* The lock makes the handler wait until irq_listen() has set notify. */
static void handler(void *opaque)
{
	struct irq_listener *listener = opaque;
	uint64_t bits[4] = { 0 };

	pthread_mutex_lock(&listener->lock);
	apple_dext_read_pending_irqs(listener->connection, bits);
	for (unsigned word = 0; word < 4; word++)
		listener->seen[word] |= bits[word];
	pthread_cond_broadcast(&listener->came);
	apple_dext_interrupt_notify_rearm(listener->notify);
	pthread_mutex_unlock(&listener->lock);
}

bool irq_listen(struct irq_listener *listener, io_connect_t connection)
{
	memset(listener, 0, sizeof(*listener));
	listener->connection = connection;
	pthread_mutex_init(&listener->lock, NULL);
	pthread_cond_init(&listener->came, NULL);
	return apple_dext_interrupt_notify_create_into(
		       connection, handler, listener, &listener->notify) == kIOReturnSuccess;
}

void irq_listen_end(struct irq_listener *listener)
{
	apple_dext_interrupt_notify_destroy(listener->notify);
	pthread_cond_destroy(&listener->came);
	pthread_mutex_destroy(&listener->lock);
}

static bool all_seen(const struct irq_listener *listener, const uint64_t wanted[4])
{
	for (unsigned word = 0; word < 4; word++)
		if (wanted[word] & ~listener->seen[word])
			return false;
	return true;
}

bool irq_wait(struct irq_listener *listener, const uint64_t wanted[4])
{
	struct timespec until;
	bool came;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TIMEOUT_SECONDS;
	pthread_mutex_lock(&listener->lock);
	while (!all_seen(listener, wanted) &&
		pthread_cond_timedwait(&listener->came, &listener->lock, &until) == 0)
		;
	came = all_seen(listener, wanted);
	for (unsigned word = 0; word < 4; word++) {
		if (!came)
			fprintf(stderr, "vectors from %u: expected %#llx, received %#llx\n",
				64 * word, (unsigned long long)wanted[word],
				(unsigned long long)listener->seen[word]);
		listener->seen[word] &= ~wanted[word];
	}
	pthread_mutex_unlock(&listener->lock);
	return came;
}

bool irq_wait_one(struct irq_listener *listener, unsigned vector)
{
	uint64_t wanted[4] = { 0 };

	wanted[vector / 64] = UINT64_C(1) << vector % 64;
	return irq_wait(listener, wanted);
}

bool irq_seen(struct irq_listener *listener, unsigned vector)
{
	bool seen;

	pthread_mutex_lock(&listener->lock);
	seen = listener->seen[vector / 64] >> vector % 64 & 1;
	pthread_mutex_unlock(&listener->lock);
	return seen;
}
