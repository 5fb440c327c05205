/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that wait for a job (jobs.c), while the controller's thread executes others. When it
 * has ended, the controller's thread resumes them; so nothing but that thread accesses queues and
 * the host's memory. A parked command has its place in the completion queue.
 *
 * A reset drops the commands and does not wait for jobs that run: no one looks at what they
 * have read, but whether they have lost data.
 */
#include "provider/soft/nvme/nvme.h"

#include <stdlib.h>

void nvme_parked_init(struct nvme_controller *nvme)
{
	TAILQ_INIT(&nvme->running_jobs);
	TAILQ_INIT(&nvme->ended_jobs);
}

static struct nvme_job *new_job(void)
{
	struct nvme_job *job = calloc(1, sizeof(*job));

	if (job)
		TAILQ_INIT(&job->waiting);
	return job;
}

static bool is_queue(unsigned sqid)
{
	return sqid != NVME_NO_QUEUE;
}

static bool park(struct nvme_controller *nvme, struct nvme_job *job,
	const struct nvme_request *request, nvme_resume *resume)
{
	struct nvme_parked *parked = calloc(1, sizeof(*parked));

	if (!parked)
		return false;
	parked->request = *request;
	parked->resume = resume;
	TAILQ_INSERT_TAIL(&job->waiting, parked, link);
	if (is_queue(request->sqid)) {
		struct nvme_sq *sq = &nvme->sqs[request->sqid];

		sq->parked++;
		nvme->cqs[sq->cqid].owed++;
		nvme->parked++;
	}
	return true;
}

static void unpark(struct nvme_controller *nvme, struct nvme_job *job, struct nvme_parked *parked)
{
	TAILQ_REMOVE(&job->waiting, parked, link);
	if (is_queue(parked->request.sqid)) {
		struct nvme_sq *sq = &nvme->sqs[parked->request.sqid];

		sq->parked--;
		nvme->cqs[sq->cqid].owed--;
		nvme->parked--;
	}
	free(parked);
}

static void submit(struct nvme_controller *nvme, struct nvme_job *job)
{
	TAILQ_INSERT_TAIL(&nvme->running_jobs, job, link);
	job->is_followed = true;
	nvme_jobs_submit(nvme->jobs, job);
}

uint16_t nvme_read_then(struct nvme_controller *nvme, const struct nvme_request *request,
	uint64_t offset, size_t length, nvme_resume *resume)
{
	struct nvme_job *job = new_job();

	if (!job || !park(nvme, job, request, resume)) {
		nvme_job_free(job);
		return NVME_INTERNAL_ERROR;
	}
	job->offset = offset;
	job->length = length;
	submit(nvme, job);
	return NVME_NO_COMPLETION;
}

/*
 * Flushes that come while one runs share the next one: it begins after all of them were fetched.
 */
uint16_t nvme_flush_then(
	struct nvme_controller *nvme, struct nvme_request *request, nvme_resume *resume)
{
	struct nvme_job **job;
	bool is_new;

	if (nvme_flush_now(nvme))
		return resume(nvme, request, NULL);
	job = nvme->flush ? &nvme->next_flush : &nvme->flush;
	is_new = !*job;
	if (is_new)
		*job = new_job();
	if (!*job || !park(nvme, *job, request, resume)) {
		if (is_new) {
			nvme_job_free(*job);
			*job = NULL;
		}
		return NVME_INTERNAL_ERROR;
	}
	(*job)->flush = true;
	if (is_new && *job == nvme->flush)
		submit(nvme, *job);
	return NVME_NO_COMPLETION;
}

void nvme_overwritten(struct nvme_controller *nvme, uint64_t offset, uint64_t length)
{
	struct nvme_job *job;

	TAILQ_FOREACH (job, &nvme->running_jobs, link)
		if (!job->flush && job->offset < offset + length &&
			offset < job->offset + job->length)
			job->overwritten = true;
}

static void follow_no_more(struct nvme_controller *nvme, struct nvme_job *job)
{
	TAILQ_REMOVE(&nvme->running_jobs, job, link);
	job->is_followed = false;
	if (job != nvme->flush)
		return;
	nvme->flush = nvme->next_flush;
	nvme->next_flush = NULL;
	if (nvme->flush)
		submit(nvme, nvme->flush);
}

static void take_ended(struct nvme_controller *nvme)
{
	struct nvme_job_list ended;
	struct nvme_job *job;

	nvme_jobs_take(nvme->jobs, &ended);
	while ((job = TAILQ_FIRST(&ended))) {
		TAILQ_REMOVE(&ended, job, queue);
		if (job->flush)
			nvme_flush_ended(nvme, job->result);
		if (!job->is_followed) {
			nvme_job_free(job);
			continue;
		}
		follow_no_more(nvme, job);
		TAILQ_INSERT_TAIL(&nvme->ended_jobs, job, link);
	}
}

static bool can_resume(struct nvme_controller *nvme, const struct nvme_parked *parked)
{
	return !nvme_halted(nvme) && (!is_queue(parked->request.sqid) ||
					     (nvme->running && soft_bus_master(nvme->device)));
}

/* The command stays in the list meanwhile: an access to memory may be the thread's last one. */
static void resume(struct nvme_controller *nvme, struct nvme_job *job, struct nvme_parked *parked)
{
	struct nvme_request request = parked->request;
	uint16_t status = parked->resume(nvme, &request, job);

	unpark(nvme, job, parked);
	if (status != NVME_NO_COMPLETION)
		nvme_complete(nvme, &request, status);
}

void nvme_parked_resume(struct nvme_controller *nvme)
{
	struct nvme_job *job;
	struct nvme_parked *parked;

	take_ended(nvme);
	while ((job = TAILQ_FIRST(&nvme->ended_jobs))) {
		while ((parked = TAILQ_FIRST(&job->waiting))) {
			if (!can_resume(nvme, parked))
				return;
			resume(nvme, job, parked);
		}
		TAILQ_REMOVE(&nvme->ended_jobs, job, link);
		nvme_job_free(job);
	}
}

static bool is_about(const struct nvme_parked *parked, unsigned sqid, unsigned cid)
{
	return parked->request.sqid == sqid &&
	       (cid == NVME_ANY_CID || parked->request.command.cid == cid);
}

static bool abort_waiting(struct nvme_controller *nvme, struct nvme_job *job, unsigned sqid,
	unsigned cid, uint16_t status)
{
	struct nvme_parked *parked = TAILQ_FIRST(&job->waiting), *next;
	bool any = false;

	for (; parked; parked = next) {
		uint16_t its_cid = parked->request.command.cid;

		next = TAILQ_NEXT(parked, link);
		if (!is_about(parked, sqid, cid))
			continue;
		unpark(nvme, job, parked);
		any = true;
		if (nvme->running && is_queue(sqid))
			nvme_post(nvme, sqid, its_cid, status, 0);
	}
	return any;
}

bool nvme_parked_abort(struct nvme_controller *nvme, unsigned sqid, unsigned cid, uint16_t status)
{
	struct nvme_job *job;
	bool any = false;

	if (nvme->next_flush)
		any = abort_waiting(nvme, nvme->next_flush, sqid, cid, status);
	TAILQ_FOREACH (job, &nvme->running_jobs, link)
		any |= abort_waiting(nvme, job, sqid, cid, status);
	TAILQ_FOREACH (job, &nvme->ended_jobs, link)
		any |= abort_waiting(nvme, job, sqid, cid, status);
	return any;
}

static void unpark_all(struct nvme_controller *nvme, struct nvme_job *job)
{
	struct nvme_parked *parked;

	while ((parked = TAILQ_FIRST(&job->waiting)))
		unpark(nvme, job, parked);
}

void nvme_parked_leave(struct nvme_controller *nvme)
{
	struct nvme_job *job;

	if (nvme->next_flush)
		unpark_all(nvme, nvme->next_flush);
	nvme_job_free(nvme->next_flush);
	nvme->flush = nvme->next_flush = NULL;
	while ((job = TAILQ_FIRST(&nvme->running_jobs))) {
		unpark_all(nvme, job);
		TAILQ_REMOVE(&nvme->running_jobs, job, link);
		if (nvme_jobs_cancel(nvme->jobs, job))
			nvme_job_free(job);
		else
			job->is_followed = false;
	}
}

void nvme_parked_forget(struct nvme_controller *nvme)
{
	struct nvme_job *job;

	nvme_parked_leave(nvme);
	while ((job = TAILQ_FIRST(&nvme->ended_jobs))) {
		unpark_all(nvme, job);
		TAILQ_REMOVE(&nvme->ended_jobs, job, link);
		nvme_job_free(job);
	}
}
