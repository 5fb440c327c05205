/* SPDX-License-Identifier: BSD-3-Clause */
/* A client that listens for interrupts: reads the pending bits when notified, and rearms. */
#ifndef TESTS_LIB_IRQ_LISTENER_H
#define TESTS_LIB_IRQ_LISTENER_H

#include <apple-dext-client.h>
#include <pthread.h>
#include <stdbool.h>

struct irq_listener {
	io_connect_t connection;
	AppleDextInterruptNotify *notify;
	pthread_mutex_t lock; /* protects seen */
	pthread_cond_t came;
	uint64_t seen[4]; /* bits received and not yet waited for */
};

/* Interrupts of @connection must be set up. Return: false when no notification can be created. */
bool irq_listen(struct irq_listener *listener, io_connect_t connection);
void irq_listen_end(struct irq_listener *listener);
/* Wait, at most a minute, until every bit of @wanted is in seen; then clear these bits. */
bool irq_wait(struct irq_listener *listener, const uint64_t wanted[4]);
/* The same for one vector. */
bool irq_wait_one(struct irq_listener *listener, unsigned vector);
/* Whether a vector was received and not waited for. */
bool irq_seen(struct irq_listener *listener, unsigned vector);

#endif
