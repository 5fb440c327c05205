/* SPDX-License-Identifier: BSD-3-Clause */
/* A client's ear for interrupts: takes pending bits as they come, arms again. */
#ifndef TESTS_LIB_IRQ_LISTENER_H
#define TESTS_LIB_IRQ_LISTENER_H

#include <apple-dext-client.h>
#include <pthread.h>
#include <stdbool.h>

struct irq_listener {
	io_connect_t connection;
	AppleDextInterruptNotify *notify;
	pthread_mutex_t lock; /* guards seen */
	pthread_cond_t came;
	uint64_t seen[4]; /* every bit that has come */
};

/* @connection has set interrupts up. False when it cannot listen. */
bool irq_listen(struct irq_listener *listener, io_connect_t connection);
void irq_listen_end(struct irq_listener *listener);
/* Wait, a minute at the most, until every bit of @wanted has come, and forget these. */
bool irq_wait(struct irq_listener *listener, const uint64_t wanted[4]);
/* The same for one vector. */
bool irq_wait_one(struct irq_listener *listener, unsigned vector);
/* Whether a vector has come and was not waited for. */
bool irq_seen(struct irq_listener *listener, unsigned vector);

#endif
