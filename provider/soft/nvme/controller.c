/* SPDX-License-Identifier: BSD-3-Clause */
/* What changes of CC do: enabling, disabling (a controller reset), shutting down. */
#include "provider/soft/nvme/nvme.h"

#include <string.h>

void nvme_controller_clear(struct nvme_controller *nvme)
{
	nvme->running = false;
	nvme->turn = 0;
	memset(nvme->sqs, 0, sizeof(nvme->sqs));
	memset(nvme->cqs, 0, sizeof(nvme->cqs));
	for (unsigned qid = 0; qid <= nvme->queues; qid++)
		nvme_line_update(nvme, qid);
	memset(&nvme->async, 0, sizeof(nvme->async));
	/* Its entries go with a controller reset; the count of errors goes on. */
	memset(&nvme->error_log, 0, sizeof(nvme->error_log));
	nvme_features_reset(nvme);
}

void nvme_controller_fatal(struct nvme_controller *nvme, const char *why)
{
	nvme->running = false;
	nvme_status_change(nvme, 0, NVME_CSTS_CFS);
	soft_log(nvme->device, "controller fatal status: %s; waiting for a reset", why);
}

static const char *cannot_enable(const struct nvme_events *events)
{
	if (NVME_CC_CSS(events->cc) != 0)
		return "CC.CSS asks for a command set other than NVM";
	if (NVME_CC_AMS(events->cc) != 0)
		return "CC.AMS asks for an arbitration other than round robin";
	if (NVME_CC_MPS(events->cc) > NVME_PAGE_ORDERS)
		return "CC.MPS is beyond CAP.MPSMAX";
	/* Sizes are one less than the number of entries, and one entry makes no queue. */
	if ((events->aqa & 0xfff) == 0 || (events->aqa >> 16 & 0xfff) == 0)
		return "AQA gives a queue of one entry, at least two are needed";
	if ((events->asq | events->acq) & ((UINT64_C(1) << (12 + NVME_CC_MPS(events->cc))) - 1))
		return "ASQ or ACQ is not aligned to the memory page size of CC.MPS";
	return NULL;
}

static void enable(struct nvme_controller *nvme, const struct nvme_events *events)
{
	const char *problem = cannot_enable(events);

	if (problem) {
		nvme_controller_fatal(nvme, problem);
		return;
	}
	nvme->page = NVME_PAGE_MIN << NVME_CC_MPS(events->cc);
	nvme_cq_create(nvme, 0, events->acq, (events->aqa >> 16 & 0xfff) + 1, 0, true);
	nvme_sq_create(nvme, 0, events->asq, (events->aqa & 0xfff) + 1, 0);
	nvme->running = true;
	nvme_warnings_report(nvme, nvme_critical_warning(nvme));
	nvme_status_change(nvme, NVME_CSTS_CFS, NVME_CSTS_RDY);
}

static void disable(struct nvme_controller *nvme)
{
	nvme_controller_clear(nvme);
	nvme_registers_unmask(nvme);
	nvme_status_change(nvme, NVME_CSTS_RDY | NVME_CSTS_CFS | NVME_CSTS_SHST_MASK, 0);
}

/*
 * No queue is left to report an error in, which is what CSTS.CFS is for. The shutdown is
 * not said to be complete, as that would mean that all data is on the medium.
 */
static void shut_down(struct nvme_controller *nvme)
{
	nvme->running = false;
	if (nvme_flush(nvme) != NVME_OK) {
		nvme_status_change(nvme, NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_OCCURRING);
		nvme_controller_fatal(nvme, "data were lost before the shutdown");
		return;
	}
	nvme_status_change(nvme, NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_COMPLETE);
}

void nvme_controller_apply(struct nvme_controller *nvme, const struct nvme_events *events)
{
	uint32_t before = nvme->cc;

	if (!(events->reasons & (NVME_WAKE_CC | NVME_WAKE_DISABLED)))
		return;
	if (events->reasons & NVME_WAKE_DISABLED) {
		disable(nvme);
		before &= ~NVME_CC_EN;
	}
	if ((events->cc & NVME_CC_EN) && !(before & NVME_CC_EN))
		enable(nvme, events);
	if (NVME_CC_SHN(events->cc) && !NVME_CC_SHN(before))
		shut_down(nvme);
	else if (!NVME_CC_SHN(events->cc) && NVME_CC_SHN(before))
		nvme_status_change(nvme, NVME_CSTS_SHST_MASK, 0);
	nvme->cc = events->cc;
}
