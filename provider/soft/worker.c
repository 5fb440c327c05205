/* SPDX-License-Identifier: BSD-3-Clause */
#include "provider/soft/worker.h"
#include "provider/soft/device.h"

#include <time.h>

enum worker_state {
	WORKER_OUTSIDE,	  /* no access to memory: it may write files and registers */
	WORKER_ACCESSES,  /* in an access to memory */
	WORKER_FROZEN,	  /* in an access, after which it waits */
	WORKER_ABANDONED, /* in an access, after which it ends */
};

/* The worker of this thread; NULL: it is none. */
static _Thread_local struct soft_worker *self;

static atomic_uint abandoned;

uint64_t soft_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void *run(void *argument)
{
	self = argument;
	if (setjmp(self->abandoned) == 0) {
		self->main(self->model);
	} else {
		self->discard(self->model);
		atomic_fetch_sub(&abandoned, 1);
	}
	return NULL;
}

int soft_worker_start(struct soft_device *device, struct soft_worker *worker,
	void (*main)(void *model), void (*discard)(void *model), void *model)
{
	int failure;

	atomic_init(&worker->state, WORKER_OUTSIDE);
	worker->main = main;
	worker->discard = discard;
	worker->model = model;
	failure = pthread_create(&worker->thread, NULL, run, worker);
	if (!failure)
		device->worker = worker;
	return failure;
}

void soft_worker_join(struct soft_worker *worker)
{
	pthread_join(worker->thread, NULL);
}

static bool change(struct soft_worker *worker, unsigned from, unsigned to)
{
	return atomic_compare_exchange_strong(&worker->state, &from, to);
}

void soft_worker_begin_access(void)
{
	if (self)
		atomic_store(&self->state, WORKER_ACCESSES);
}

void soft_worker_end_access(void)
{
	if (!self)
		return;
	while (!change(self, WORKER_ACCESSES, WORKER_OUTSIDE)) {
		if (atomic_load(&self->state) == WORKER_ABANDONED)
			longjmp(self->abandoned, 1);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL); /* frozen */
	}
}

bool soft_worker_freeze(struct soft_worker *worker)
{
	return change(worker, WORKER_ACCESSES, WORKER_FROZEN);
}

void soft_worker_thaw(struct soft_worker *worker)
{
	change(worker, WORKER_FROZEN, WORKER_ACCESSES);
}

void soft_worker_abandon(struct soft_worker *worker)
{
	pthread_t thread = worker->thread; /* the thread can free the worker at once */

	atomic_fetch_add(&abandoned, 1);
	atomic_store(&worker->state, WORKER_ABANDONED);
	pthread_detach(thread);
}

unsigned soft_workers_abandoned(void)
{
	return atomic_load(&abandoned);
}
