/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/nvme-ctrl.h"

#include <endian.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

bool nvme_ctrl_await(struct nvme_ctrl *ctrl, uint32_t offset, uint32_t mask, uint32_t value)
{
	double end = now() + ctrl->timeout;

	while (((uint32_t)ctrl->ops->read(ctrl->context, offset, 4) & mask) != value) {
		if (now() > end)
			return false;
		nap();
	}
	return true;
}

bool nvme_ctrl_enable(struct nvme_ctrl *ctrl, uint32_t cc)
{
	const struct nvme_ctrl_queue *admin = &ctrl->admin;

	ctrl->ops->write(
		ctrl->context, NVME_REG_AQA, 4, (admin->size - 1) << 16 | (admin->size - 1));
	ctrl->ops->write(ctrl->context, NVME_REG_ASQ, 8, admin->sq);
	ctrl->ops->write(ctrl->context, NVME_REG_ACQ, 8, admin->cq);
	ctrl->ops->write(ctrl->context, NVME_REG_CC, 4, cc);
	return nvme_ctrl_await(ctrl, NVME_REG_CSTS, NVME_CSTS_RDY, NVME_CSTS_RDY);
}

bool nvme_ctrl_disable(struct nvme_ctrl *ctrl)
{
	uint64_t cc = ctrl->ops->read(ctrl->context, NVME_REG_CC, 4);

	ctrl->ops->write(ctrl->context, NVME_REG_CC, 4, cc & ~(uint64_t)NVME_CC_EN);
	return nvme_ctrl_await(ctrl, NVME_REG_CSTS, NVME_CSTS_RDY, 0);
}

static bool admin(struct nvme_ctrl *ctrl, struct nvme_command command)
{
	struct nvme_completion completion;

	return nvme_ctrl_run(ctrl, &ctrl->admin, command, &completion) &&
	       nvme_ctrl_status(&completion) == 0;
}

bool nvme_ctrl_create(struct nvme_ctrl *ctrl, const struct nvme_ctrl_queue *queue, unsigned vector)
{
	uint32_t size = (queue->size - 1) << 16 | queue->qid;
	uint32_t interrupts = vector ? vector << 16 | NVME_QUEUE_IEN : 0;

	return admin(ctrl, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_CQ,
				   .prp1 = queue->cq,
				   .cdw10 = size,
				   .cdw11 = interrupts | NVME_QUEUE_PC }) &&
	       admin(ctrl, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_SQ,
				   .prp1 = queue->sq,
				   .cdw10 = size,
				   .cdw11 = queue->qid << 16 | NVME_QUEUE_PC });
}

static void to_wire(struct nvme_command *command)
{
	command->cid = htole16(command->cid);
	command->nsid = htole32(command->nsid);
	command->prp1 = htole64(command->prp1);
	command->prp2 = htole64(command->prp2);
	command->cdw10 = htole32(command->cdw10);
	command->cdw11 = htole32(command->cdw11);
	command->cdw12 = htole32(command->cdw12);
	command->cdw13 = htole32(command->cdw13);
}

uint16_t nvme_ctrl_put(
	struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue, struct nvme_command command)
{
	uint16_t cid = ctrl->next_cid++;

	command.cid = cid;
	to_wire(&command);
	ctrl->ops->put(ctrl->context, queue->sq + queue->tail * sizeof(command), &command,
		sizeof(command));
	queue->tail = (queue->tail + 1) % queue->size;
	return cid;
}

void nvme_ctrl_submit(struct nvme_ctrl *ctrl, const struct nvme_ctrl_queue *queue)
{
	ctrl->ops->write(ctrl->context, NVME_REG_DOORBELLS + 8 * queue->qid, 4, queue->tail);
}

/* The last dword of the entry has the phase tag. Load it first: it is valid after the others. */
bool nvme_ctrl_take(
	struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue, struct nvme_completion *completion)
{
	uint64_t entry = queue->cq + queue->head * sizeof(*completion);
	uint32_t last = le32toh(ctrl->ops->load(ctrl->context, entry + 12));

	if ((last >> 16 & 1) != (queue->phase ? 1 : 0))
		return false;
	ctrl->ops->get(ctrl->context, entry, completion, 12);
	completion->result = le32toh(completion->result);
	completion->sq_head = le16toh(completion->sq_head);
	completion->sq_id = le16toh(completion->sq_id);
	completion->cid = (uint16_t)last;
	completion->status = (uint16_t)(last >> 16);
	queue->head = (queue->head + 1) % queue->size;
	if (queue->head == 0)
		queue->phase = !queue->phase;
	return true;
}

void nvme_ctrl_release(struct nvme_ctrl *ctrl, const struct nvme_ctrl_queue *queue)
{
	ctrl->ops->write(ctrl->context, NVME_REG_DOORBELLS + 8 * queue->qid + 4, 4, queue->head);
}

bool nvme_ctrl_wait(
	struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue, struct nvme_completion *completion)
{
	double end = now() + ctrl->timeout;

	while (!nvme_ctrl_take(ctrl, queue, completion)) {
		if (now() > end)
			return false;
		nap();
	}
	nvme_ctrl_release(ctrl, queue);
	return true;
}

bool nvme_ctrl_run(struct nvme_ctrl *ctrl, struct nvme_ctrl_queue *queue,
	struct nvme_command command, struct nvme_completion *completion)
{
	nvme_ctrl_put(ctrl, queue, command);
	nvme_ctrl_submit(ctrl, queue);
	return nvme_ctrl_wait(ctrl, queue, completion);
}

struct nvme_command nvme_ctrl_rw(
	uint8_t opcode, uint64_t slba, uint32_t blocks, uint64_t prp1, uint64_t prp2)
{
	return (struct nvme_command){
		.opcode = opcode,
		.nsid = 1,
		.prp1 = prp1,
		.prp2 = prp2,
		.cdw10 = (uint32_t)slba,
		.cdw11 = (uint32_t)(slba >> 32),
		.cdw12 = blocks - 1,
	};
}
