/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads for what waits for the medium: flushes, and reads of what the page cache has not. A job
 * accesses the namespace's file and memory of its own, never the host's memory: so it cannot be
 * stalled by a client, and a reset need not wait for it. It writes nothing to the file either.
 *
 * Threads are created when jobs come, and end with the device.
 */
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <stdlib.h>

/*
 * At most one of them flushes: Linux reports a failed write-back to one of two fdatasync() that
 * run at a time, and the other one would seem to have stored the data.
 */
#define THREADS_MAX 8u
/* Jobs whose data the controller has not taken yet. With as many none begins. */
#define DONE_MAX 16u

struct nvme_jobs {
	/* Taken by the controller's thread and those of the jobs. */
	pthread_mutex_t lock;
	pthread_cond_t change; /* a job can begin, or @stop */
	/* All below under the lock. */
	struct nvme_registers *owner; /* of the controller that is woken; or NULL */
	struct nvme_job_list queued, done;
	unsigned queued_count, idle, thread_count;
	/* Written under the lock. */
	atomic_uint done_count;
	bool flushing, stop;
	pthread_t threads[THREADS_MAX];

	struct nvme_backend backend; /* a copy; fixed */
};

struct nvme_jobs *nvme_jobs_create(const struct nvme_backend *backend)
{
	struct nvme_jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return NULL;
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->change, NULL);
	TAILQ_INIT(&jobs->queued);
	TAILQ_INIT(&jobs->done);
	jobs->backend = *backend;
	return jobs;
}

void nvme_job_free(struct nvme_job *job)
{
	if (job)
		free(job->data);
	free(job);
}

static void free_list(struct nvme_job_list *list)
{
	struct nvme_job *job;

	while ((job = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, job, queue);
		nvme_job_free(job);
	}
}

void nvme_jobs_destroy(struct nvme_jobs *jobs)
{
	if (!jobs)
		return;
	pthread_mutex_lock(&jobs->lock);
	jobs->stop = true;
	pthread_cond_broadcast(&jobs->change);
	pthread_mutex_unlock(&jobs->lock);
	for (unsigned i = 0; i < jobs->thread_count; i++)
		pthread_join(jobs->threads[i], NULL);
	free_list(&jobs->queued);
	free_list(&jobs->done);
	pthread_cond_destroy(&jobs->change);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}

void nvme_jobs_set_owner(struct nvme_jobs *jobs, struct nvme_registers *owner)
{
	pthread_mutex_lock(&jobs->lock);
	jobs->owner = owner;
	pthread_mutex_unlock(&jobs->lock);
}

static void execute(const struct nvme_backend *backend, struct nvme_job *job)
{
	if (job->flush) {
		job->result = nvme_backend_flush(backend);
		return;
	}
	job->data = malloc(job->length);
	job->result =
		job->data ? nvme_backend_read(backend, job->data, job->length, job->offset, true) :
			    -ENOMEM;
}

/* The first job that can begin, or NULL. The lock is held. */
static struct nvme_job *next_job(struct nvme_jobs *jobs)
{
	struct nvme_job *job;

	if (atomic_load(&jobs->done_count) >= DONE_MAX)
		return NULL;
	TAILQ_FOREACH (job, &jobs->queued, queue)
		if (!job->flush || !jobs->flushing)
			return job;
	return NULL;
}

static void dequeue(struct nvme_jobs *jobs, struct nvme_job *job)
{
	TAILQ_REMOVE(&jobs->queued, job, queue);
	jobs->queued_count--;
}

/* Execute a job that is in no list. The lock is held, and released meanwhile. */
static void run_job(struct nvme_jobs *jobs, struct nvme_job *job)
{
	struct nvme_registers *owner;

	if (job->flush)
		jobs->flushing = true;
	pthread_mutex_unlock(&jobs->lock);
	execute(&jobs->backend, job);
	pthread_mutex_lock(&jobs->lock);
	if (job->flush) {
		jobs->flushing = false;
		pthread_cond_signal(&jobs->change); /* the next one may wait for this one */
	}
	TAILQ_INSERT_TAIL(&jobs->done, job, queue);
	atomic_fetch_add(&jobs->done_count, 1);
	owner = jobs->owner;
	if (!owner)
		return;
	pthread_mutex_lock(&owner->lock);
	nvme_wake(owner, NVME_WAKE_OTHER);
	pthread_mutex_unlock(&owner->lock);
}

static void *run_thread(void *argument)
{
	struct nvme_jobs *jobs = argument;
	struct nvme_job *job;

	pthread_mutex_lock(&jobs->lock);
	while (!jobs->stop) {
		job = next_job(jobs);
		if (job) {
			dequeue(jobs, job);
			run_job(jobs, job);
			continue;
		}
		jobs->idle++;
		pthread_cond_wait(&jobs->change, &jobs->lock);
		jobs->idle--;
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

void nvme_jobs_submit(struct nvme_jobs *jobs, struct nvme_job *job)
{
	pthread_mutex_lock(&jobs->lock);
	TAILQ_INSERT_TAIL(&jobs->queued, job, queue);
	jobs->queued_count++;
	if (jobs->queued_count > jobs->idle && jobs->thread_count < THREADS_MAX &&
		pthread_create(&jobs->threads[jobs->thread_count], NULL, run_thread, jobs) == 0)
		jobs->thread_count++;
	if (jobs->thread_count) {
		pthread_cond_signal(&jobs->change);
	} else {
		dequeue(jobs, job); /* there are no threads to be had */
		run_job(jobs, job);
	}
	pthread_mutex_unlock(&jobs->lock);
}

bool nvme_jobs_cancel(struct nvme_jobs *jobs, struct nvme_job *job)
{
	struct nvme_job *queued;

	pthread_mutex_lock(&jobs->lock);
	TAILQ_FOREACH (queued, &jobs->queued, queue)
		if (queued == job)
			break;
	if (queued)
		dequeue(jobs, job);
	pthread_mutex_unlock(&jobs->lock);
	return queued;
}

void nvme_jobs_take(struct nvme_jobs *jobs, struct nvme_job_list *list)
{
	TAILQ_INIT(list);
	if (atomic_load(&jobs->done_count) == 0)
		return;
	pthread_mutex_lock(&jobs->lock);
	TAILQ_CONCAT(list, &jobs->done, queue);
	if (atomic_exchange(&jobs->done_count, 0) >= DONE_MAX)
		pthread_cond_broadcast(&jobs->change);
	pthread_mutex_unlock(&jobs->lock);
}
