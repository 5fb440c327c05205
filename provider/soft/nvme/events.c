/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asynchronous events. Requests for them are held until there is something to report;
 * a type that was reported stays silent until the host has read its log page.
 */
#include "provider/soft/nvme/nvme.h"

#include <string.h>

struct event_kind {
	uint8_t type, information, log_page;
};

static const struct event_kind kinds[NVME_EVENT_KINDS] = {
	[NVME_EVENT_DOORBELL_REGISTER] = { NVME_EVENT_ERROR, 0, NVME_LOG_ERROR },
	[NVME_EVENT_DOORBELL_VALUE] = { NVME_EVENT_ERROR, 1, NVME_LOG_ERROR },
	[NVME_EVENT_RELIABILITY] = { NVME_EVENT_SMART, 0, NVME_LOG_SMART },
	[NVME_EVENT_TEMPERATURE] = { NVME_EVENT_SMART, 1, NVME_LOG_SMART },
};

uint16_t nvme_async_request(struct nvme_controller *nvme, struct nvme_request *request)
{
	struct nvme_async *async = &nvme->async;

	if (async->held == NVME_ASYNC_MAX)
		return NVME_ASYNC_LIMIT;
	async->cids[async->held++] = request->command.cid;
	return NVME_NO_COMPLETION;
}

void nvme_event_happened(struct nvme_controller *nvme, enum nvme_event event)
{
	nvme->async.pending |= 1u << event;
}

static uint16_t take_request(struct nvme_async *async, unsigned index)
{
	uint16_t cid = async->cids[index];

	async->held--;
	memmove(&async->cids[index], &async->cids[index + 1],
		(async->held - index) * sizeof(async->cids[0]));
	return cid;
}

void nvme_events_post(struct nvme_controller *nvme)
{
	struct nvme_async *async = &nvme->async;

	for (unsigned event = 0; event < NVME_EVENT_KINDS; event++) {
		const struct event_kind *kind = &kinds[event];

		if (!(async->pending & 1u << event) || (async->masked & 1u << kind->type))
			continue;
		if (!async->held || !nvme->running || !nvme_cq_has_room(&nvme->cqs[0]))
			return;
		async->pending &= ~(1u << event);
		async->masked |= 1u << kind->type;
		nvme_post(nvme, 0, take_request(async, 0), NVME_OK,
			kind->type | (uint32_t)kind->information << 8 |
				(uint32_t)kind->log_page << 16);
	}
}

void nvme_events_unmask(struct nvme_controller *nvme, unsigned log_page)
{
	for (unsigned event = 0; event < NVME_EVENT_KINDS; event++)
		if (kinds[event].log_page == log_page)
			nvme->async.masked &= ~(1u << kinds[event].type);
}

bool nvme_event_abort(struct nvme_controller *nvme, uint16_t cid)
{
	struct nvme_async *async = &nvme->async;
	struct nvme_cq *cq = &nvme->cqs[0];

	for (unsigned index = 0; index < async->held; index++) {
		if (async->cids[index] != cid)
			continue;
		/* One entry is for the completion of the abort command itself. */
		if ((cq->tail + 2) % cq->size == cq->head)
			return false;
		take_request(async, index);
		nvme_post(nvme, 0, cid, NVME_ABORT_REQUESTED, 0);
		return nvme->running;
	}
	return false;
}
