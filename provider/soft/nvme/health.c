/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors and the health of the medium. Linux reports a failed write-back once, to the next
 * fdatasync(), and then takes the data for clean: the next fdatasync() succeeds though they
 * are lost. So the first failure is remembered for as long as the device exists. From then on
 * nothing is written, no flush succeeds, and the host is informed by the status of each
 * command, by Critical Warning in the SMART log, and by an asynchronous event.
 */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

void nvme_error_record(struct nvme_controller *nvme, const struct nvme_request *request,
	uint16_t sqid, uint16_t status)
{
	struct nvme_error_log *log = &nvme->error_log;
	struct nvme_error_entry *entry = &log->entries[log->next];

	log->next = (log->next + 1) % NVME_ERRORS_MAX;
	*entry = (struct nvme_error_entry){
		.count = htole64(++nvme->statistics.errors),
		.sqid = htole16(sqid),
		.cid = htole16(request ? request->command.cid : NVME_ERROR_NO_COMMAND),
		.status = htole16((uint16_t)(status << 1)),
		.location = htole16(NVME_ERROR_NO_LOCATION),
		.nsid = htole32(request ? request->command.nsid : 0),
	};
	if (request && sqid)
		entry->lba =
			htole64(request->command.cdw10 | (uint64_t)request->command.cdw11 << 32);
}

void nvme_event_happened(struct nvme_controller *nvme, enum nvme_event event)
{
	nvme->async.pending |= 1u << event;
}

#define LOST (NVME_SMART_RELIABILITY | NVME_SMART_READ_ONLY)

uint8_t nvme_critical_warning(const struct nvme_controller *nvme)
{
	uint8_t warning = nvme->medium_error ? LOST : 0;

	if (NVME_TEMPERATURE >= nvme->features.value[NVME_FEAT_TEMPERATURE] ||
		NVME_TEMPERATURE <= nvme->features.temperature_under)
		warning |= NVME_SMART_TEMPERATURE;
	return warning;
}

void nvme_warnings_report(struct nvme_controller *nvme, uint32_t warnings)
{
	warnings &= nvme->features.value[NVME_FEAT_ASYNC_EVENTS];
	if (warnings & LOST)
		nvme_event_happened(nvme, NVME_EVENT_RELIABILITY);
	if (warnings & NVME_SMART_TEMPERATURE)
		nvme_event_happened(nvme, NVME_EVENT_TEMPERATURE);
}

/* @error: a negative errno */
static void medium_failed(struct nvme_controller *nvme, const char *what, int error)
{
	if (nvme->medium_error)
		return;
	nvme->medium_error = error;
	soft_log_always(nvme->device,
		"image %s: %s: %s: data may be lost; read-only until the device is created anew",
		nvme->backend.name, what, strerror(-error));
	nvme_warnings_report(nvme, LOST);
}

uint16_t nvme_check_writable(const struct nvme_controller *nvme)
{
	if (nvme->backend.read_only)
		return NVME_NAMESPACE_WRITE_PROTECTED;
	return nvme->medium_error ? NVME_WRITE_TO_READ_ONLY : NVME_OK;
}

void nvme_flush_ended(struct nvme_controller *nvme, int result)
{
	if (result < 0)
		medium_failed(nvme, "flushing failed", result);
}

bool nvme_flush_now(struct nvme_controller *nvme)
{
	if (nvme->medium_error)
		return true;
	if (nvme->backend.waits)
		return false;
	nvme_flush_ended(nvme, nvme_backend_flush(&nvme->backend));
	return true;
}

uint16_t nvme_flush_status(struct nvme_controller *nvme)
{
	if (!nvme->medium_error)
		return NVME_OK;
	nvme->statistics.media_errors++;
	return NVME_WRITE_FAULT;
}

uint16_t nvme_write_status(struct nvme_controller *nvme, const char *what, int result)
{
	switch (result) {
	case 0:
		return NVME_OK;
	case -ECANCELED:
		return NVME_NO_COMPLETION;
	case -EFAULT:
		return NVME_DATA_TRANSFER_ERROR;
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return NVME_CAPACITY_EXCEEDED;
	default:
		medium_failed(nvme, what, result);
		nvme->statistics.media_errors++;
		return NVME_WRITE_FAULT;
	}
}
