/* SPDX-License-Identifier: BSD-3-Clause */
/* The admin commands: the table of them, and those that make and delete queues. */
#include "provider/soft/nvme/nvme.h"

static uint16_t check_queue_memory(
	const struct nvme_controller *nvme, const struct nvme_command *command)
{
	uint32_t entries = (command->cdw10 >> 16) + 1;

	if (entries < 2 || entries > NVME_ENTRIES_MAX)
		return NVME_INVALID_QUEUE_SIZE;
	if (!(command->cdw11 & NVME_QUEUE_PC)) /* CAP.CQR */
		return NVME_INVALID_FIELD;
	if (command->prp1 & (nvme->page - 1))
		return NVME_INVALID_PRP_OFFSET;
	return NVME_OK;
}

static uint16_t create_cq(struct nvme_controller *nvme, struct nvme_request *request)
{
	const struct nvme_command *command = &request->command;
	unsigned qid = command->cdw10 & 0xffff, vector = command->cdw11 >> 16;
	uint16_t status;

	if (qid == 0 || qid > nvme->queues || nvme->cqs[qid].live)
		return NVME_INVALID_QUEUE_ID;
	status = check_queue_memory(nvme, command);
	if (status != NVME_OK)
		return status;
	if (NVME_CC_IOCQES(nvme->cc) != NVME_CQE_SHIFT)
		return NVME_INVALID_FIELD;
	if (vector >= nvme->interrupts.vectors)
		return NVME_INVALID_VECTOR;
	nvme_cq_create(nvme, qid, command->prp1, (command->cdw10 >> 16) + 1, (uint16_t)vector,
		command->cdw11 & NVME_QUEUE_IEN);
	return NVME_OK;
}

static uint16_t create_sq(struct nvme_controller *nvme, struct nvme_request *request)
{
	const struct nvme_command *command = &request->command;
	unsigned qid = command->cdw10 & 0xffff, cqid = command->cdw11 >> 16;
	uint16_t status;

	if (qid == 0 || qid > nvme->queues || nvme->sqs[qid].live)
		return NVME_INVALID_QUEUE_ID;
	if (cqid == 0 || cqid > nvme->queues)
		return NVME_INVALID_QUEUE_ID;
	if (!nvme->cqs[cqid].live)
		return NVME_INVALID_CQ;
	status = check_queue_memory(nvme, command);
	if (status != NVME_OK)
		return status;
	if (NVME_CC_IOSQES(nvme->cc) != NVME_SQE_SHIFT)
		return NVME_INVALID_FIELD;
	nvme_sq_create(nvme, qid, command->prp1, (command->cdw10 >> 16) + 1, (uint16_t)cqid);
	return NVME_OK;
}

/* Of the queue's commands only those are in flight that are parked. */
static uint16_t delete_sq(struct nvme_controller *nvme, struct nvme_request *request)
{
	unsigned qid = request->command.cdw10 & 0xffff;

	if (qid == 0 || qid > nvme->queues || !nvme->sqs[qid].live)
		return NVME_INVALID_QUEUE_ID;
	nvme_parked_abort(nvme, qid, NVME_ANY_CID, NVME_ABORTED_SQ_DELETION);
	nvme_sq_delete(nvme, qid);
	return NVME_OK;
}

static uint16_t delete_cq(struct nvme_controller *nvme, struct nvme_request *request)
{
	unsigned qid = request->command.cdw10 & 0xffff;

	if (qid == 0 || qid > nvme->queues || !nvme->cqs[qid].live)
		return NVME_INVALID_QUEUE_ID;
	if (nvme->cqs[qid].sqs)
		return NVME_INVALID_QUEUE_DELETION;
	nvme_cq_delete(nvme, qid);
	return NVME_OK;
}

/*
 * The commands that last are the requests for asynchronous events, and those that are parked.
 * Any other is finished or not fetched yet, and then is "not aborted", in bit 0 of the result.
 */
static uint16_t abort_command(struct nvme_controller *nvme, struct nvme_request *request)
{
	unsigned sqid = request->command.cdw10 & 0xffff;
	uint16_t cid = (uint16_t)(request->command.cdw10 >> 16);

	if (sqid > nvme->queues || !nvme->sqs[sqid].live)
		return NVME_INVALID_FIELD;
	/* Two completions come of it: that of the aborted command needs room as well. */
	request->result = 1;
	if ((sqid == 0 && nvme_event_abort(nvme, cid)) ||
		nvme_parked_abort(nvme, sqid, cid, NVME_ABORT_REQUESTED))
		request->result = 0;
	return NVME_OK;
}

const struct nvme_operation nvme_admin_operations[256] = {
	[NVME_ADMIN_DELETE_SQ] = { delete_sq, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_CREATE_SQ] = { create_sq, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_GET_LOG_PAGE] = { nvme_get_log_page, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_DELETE_CQ] = { delete_cq, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_CREATE_CQ] = { create_cq, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_IDENTIFY] = { nvme_identify, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_ABORT] = { abort_command, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_SET_FEATURES] = { nvme_set_features, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_GET_FEATURES] = { nvme_get_features, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_ASYNC_EVENT] = { nvme_async_request, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_ADMIN_DOORBELL_BUFFER_CONFIG] = { nvme_doorbell_buffer_config, NVME_EFFECT_SUPPORTED,
		0, NVME_OACS_DOORBELL_BUFFER },
};
