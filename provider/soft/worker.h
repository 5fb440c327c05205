/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread of a model, which executes its DMA accesses, and can be abandoned when an access
 * does not return.
 *
 * A client can stall accesses to its memory for as long as it likes. When a reset has waited for
 * SOFT_STALL_MS, the thread is frozen, the model is replaced by a new one, and the thread is
 * abandoned: when the access ends, the thread does not return to the model, but frees the old
 * model and ends. So no code of the old model runs after the reset: it raises no interrupt and
 * writes neither files nor BAR memory.
 */
#ifndef PROVIDER_SOFT_WORKER_H
#define PROVIDER_SOFT_WORKER_H

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How long to wait for an access to memory. */
#define SOFT_STALL_MS 1000

struct soft_device;

/* Part of the model's state. */
struct soft_worker {
	pthread_t thread;
	/* enum worker_state. A thread can be frozen only during an access to memory. */
	atomic_uint state;
	jmp_buf abandoned;
	void (*main)(void *model);
	void (*discard)(void *model);
	void *model;
};

/**
 * soft_worker_start - start the thread of a device's model
 * @main: its function; returns when the model asks it to
 * @discard: frees @model, the worker included, once the thread is abandoned. It runs without
 *	a device, and possibly after the device has gone
 *
 * A device has one worker; a model that replaces another starts its own. During a DMA access
 * @main holds no lock, and no resources that @discard does not free.
 *
 * Return: 0 or an error number.
 */
int soft_worker_start(struct soft_device *device, struct soft_worker *worker,
	void (*main)(void *model), void (*discard)(void *model), void *model);
/** soft_worker_join - wait for @main to return. */
void soft_worker_join(struct soft_worker *worker);

/* --- For the framework ------------------------------------------------------------- */

/* An access to memory begins, or has ended, on this thread, which need not be a worker. */
void soft_worker_begin_access(void);
void soft_worker_end_access(void); /* does not return on an abandoned thread */

/**
 * soft_worker_freeze - make the thread wait at the end of the access that it is in
 *
 * Return: true: the thread does not use the model until soft_worker_abandon() or
 * soft_worker_thaw(); false: the thread is not in an access to memory.
 */
bool soft_worker_freeze(struct soft_worker *worker);
void soft_worker_thaw(struct soft_worker *worker);
/* Ownership of the model passes to the thread. */
void soft_worker_abandon(struct soft_worker *worker);
/* The number of abandoned threads of this process that have not ended. */
unsigned soft_workers_abandoned(void);
/* With this many no model is replaced: each costs a thread and about 300 KiB. */
#define SOFT_ABANDONED_MAX 256u

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t soft_now_ns(void);

#endif
