/* SPDX-License-Identifier: BSD-3-Clause */
/* The error log: the latest errors, in a ring. */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>

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
