/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread of a model, which makes its DMA accesses, and what becomes of it when an access
 * does not return.
 *
 * A client's memory can hold an access up for as long as the client likes. When a reset has
 * waited for that long enough, the model is frozen and replaced by a new one, and the thread
 * is abandoned: the access that holds it up never returns to the model. The thread frees what
 * the old model had left, and ends. So no code of the old model runs after the reset: it
 * raises no interrupt, writes no file and no BAR memory.
 */
#ifndef PROVIDER_SOFT_WORKER_H
#define PROVIDER_SOFT_WORKER_H

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How long an access to memory is waited for. */
#define SOFT_STALL_MS 1000

struct soft_device;

/* Part of the model's state. */
struct soft_worker {
	pthread_t thread;
	/* Of the thread: enum worker_state. Only one that accesses memory can be frozen. */
	atomic_uint state;
	jmp_buf abandoned;
	void (*main)(void *model);
	void (*discard)(void *model);
	void *model;
};

/**
 * soft_worker_start - start the thread of a device's model
 * @main: what it does; returns when the model's owner has told it to
 * @discard: frees @model, the worker included, once the thread is abandoned. It runs without
 *	a device, and possibly after the device has gone
 *
 * The device has one such worker; a model that replaces another starts its own. While it
 * makes a DMA access, @main holds no lock and has nothing to free that @discard does not free.
 *
 * Return: 0 or an error number.
 */
int soft_worker_start(struct soft_device *device, struct soft_worker *worker,
	void (*main)(void *model), void (*discard)(void *model), void *model);
/** soft_worker_join - wait for @main to return. */
void soft_worker_join(struct soft_worker *worker);

/* --- For the framework ------------------------------------------------------------- */

/* An access to memory begins, and has ended, on this thread; others than workers may be it. */
void soft_worker_enter(void);
void soft_worker_leave(void); /* does not return on a thread that was abandoned */

/**
 * soft_worker_freeze - keep the thread from returning from the access that it makes
 *
 * Return: true: nothing of the model changes until soft_worker_abandon() or soft_worker_thaw();
 * false: the thread does not access memory right now.
 */
bool soft_worker_freeze(struct soft_worker *worker);
void soft_worker_thaw(struct soft_worker *worker);
/* The model belongs to the thread from here on. */
void soft_worker_abandon(struct soft_worker *worker);
/* How many of this process's threads are abandoned and have not ended. */
unsigned soft_workers_abandoned(void);
/* With so many no more models are replaced: each costs a thread and some 300 KiB. */
#define SOFT_ABANDONED_MAX 256u

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t soft_now_ns(void);

#endif
