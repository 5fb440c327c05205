/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands of the NVM command set. */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* The bytes of the namespace that a command is about. */
struct extent {
	uint64_t offset, length;
};

static bool extent_of(
	const struct nvme_backend *backend, uint64_t slba, uint64_t blocks, struct extent *extent)
{
	if (slba > backend->blocks || blocks > backend->blocks - slba)
		return false;
	extent->offset = slba << backend->block_shift;
	extent->length = blocks << backend->block_shift;
	return true;
}

/* What commands with SLBA and NLB have in common. */
static uint16_t locate(const struct nvme_controller *nvme, const struct nvme_command *command,
	struct extent *extent)
{
	uint64_t slba = command->cdw10 | (uint64_t)command->cdw11 << 32;

	if (command->nsid != NVME_NSID)
		return NVME_INVALID_NAMESPACE;
	if (!extent_of(&nvme->backend, slba, (uint64_t)(command->cdw12 & 0xffff) + 1, extent))
		return NVME_LBA_OUT_OF_RANGE;
	return NVME_OK;
}

static uint16_t locate_data(
	struct nvme_controller *nvme, const struct nvme_command *command, struct extent *extent)
{
	uint16_t status = locate(nvme, command, extent);

	return status == NVME_OK ? nvme_prp_map(nvme, command, extent->length) : status;
}

/* Data must be on the medium when the command asks for it, or the write cache is off. */
static bool is_durable(const struct nvme_controller *nvme, const struct nvme_command *command)
{
	return (command->cdw12 & NVME_IO_FUA) || !nvme->features.value[NVME_FEAT_WRITE_CACHE];
}

static uint16_t flushed(
	struct nvme_controller *nvme, struct nvme_request *request, const struct nvme_job *job)
{
	(void)request, (void)job;
	return nvme_flush_status(nvme);
}

static uint16_t flush_command(struct nvme_controller *nvme, struct nvme_request *request)
{
	uint32_t nsid = request->command.nsid;

	return nsid == NVME_NSID || nsid == NVME_NSID_ALL ?
		       nvme_flush_then(nvme, request, flushed) :
		       NVME_INVALID_NAMESPACE;
}

static uint64_t length_of(const struct nvme_controller *nvme, const struct nvme_command *command)
{
	return ((uint64_t)(command->cdw12 & 0xffff) + 1) << nvme->backend.block_shift;
}

static void count_read(struct nvme_controller *nvme, const struct nvme_command *command)
{
	nvme->statistics.reads++;
	nvme->statistics.bytes_read += length_of(nvme, command);
}

static void count_write(struct nvme_controller *nvme, const struct nvme_command *command)
{
	nvme->statistics.writes++;
	nvme->statistics.bytes_written += length_of(nvme, command);
}

static uint16_t read_blocks(struct nvme_controller *nvme, struct nvme_request *request);

static uint16_t blocks_are_read(
	struct nvme_controller *nvme, struct nvme_request *request, const struct nvme_job *job)
{
	uint16_t status;

	if (job->overwritten)
		return read_blocks(nvme, request);
	status = nvme_job_to_host(nvme, request, job);
	if (status == NVME_OK)
		count_read(nvme, &request->command);
	return status;
}

static uint16_t read_blocks(struct nvme_controller *nvme, struct nvme_request *request)
{
	struct extent extent;
	uint16_t status = locate_data(nvme, &request->command, &extent);

	if (status == NVME_OK)
		status = nvme_file_to_segments(nvme, extent.offset);
	if (status == NVME_NOT_CACHED)
		return nvme_read_then(nvme, request, extent.offset, extent.length, blocks_are_read);
	if (status == NVME_OK)
		count_read(nvme, &request->command);
	return status;
}

static uint16_t flushed_for_read(
	struct nvme_controller *nvme, struct nvme_request *request, const struct nvme_job *job)
{
	(void)job;
	return nvme_flush_status(nvme) == NVME_OK ? read_blocks(nvme, request) :
						    NVME_UNRECOVERED_READ | NVME_STATUS_DNR;
}

static uint16_t read_command(struct nvme_controller *nvme, struct nvme_request *request)
{
	struct extent extent;
	uint16_t status;

	if (!(request->command.cdw12 & NVME_IO_FUA))
		return read_blocks(nvme, request);
	/* Forced unit access: what is read must be what the medium has. */
	status = locate_data(nvme, &request->command, &extent);
	return status == NVME_OK ? nvme_flush_then(nvme, request, flushed_for_read) : status;
}

static uint16_t flushed_write(
	struct nvme_controller *nvme, struct nvme_request *request, const struct nvme_job *job)
{
	uint16_t status = flushed(nvme, request, job);

	if (status == NVME_OK)
		count_write(nvme, &request->command);
	return status;
}

static uint16_t write_command(struct nvme_controller *nvme, struct nvme_request *request)
{
	struct extent extent;
	uint16_t status = locate_data(nvme, &request->command, &extent);

	if (status == NVME_OK)
		status = nvme_check_writable(nvme);
	if (status != NVME_OK)
		return status;
	nvme_overwritten(nvme, extent.offset, extent.length);
	status = nvme_segments_to_file(nvme, extent.offset);
	if (status == NVME_OK && is_durable(nvme, &request->command))
		return nvme_flush_then(nvme, request, flushed_write);
	if (status == NVME_OK)
		count_write(nvme, &request->command);
	return status;
}

/* @job: has read the blocks, or NULL. */
static uint16_t compare_blocks(
	struct nvme_controller *nvme, struct nvme_request *request, const struct nvme_job *job)
{
	struct extent extent;
	uint16_t status = locate_data(nvme, &request->command, &extent);

	if (status == NVME_OK)
		status = nvme_segments_compare(
			nvme, extent.offset, job && job->overwritten ? NULL : job);
	if (status == NVME_NOT_CACHED)
		return nvme_read_then(nvme, request, extent.offset, extent.length, compare_blocks);
	if (status == NVME_OK || status == NVME_COMPARE_FAILURE)
		count_read(nvme, &request->command);
	return status;
}

static uint16_t compare_command(struct nvme_controller *nvme, struct nvme_request *request)
{
	return compare_blocks(nvme, request, NULL);
}

static uint16_t write_zeroes_command(struct nvme_controller *nvme, struct nvme_request *request)
{
	struct extent extent;
	uint16_t status = locate(nvme, &request->command, &extent);

	if (status == NVME_OK)
		status = nvme_check_writable(nvme);
	if (status != NVME_OK)
		return status;
	nvme_overwritten(nvme, extent.offset, extent.length);
	status = nvme_write_status(nvme, "zeroing failed",
		nvme_backend_zero(nvme, extent.offset, extent.length,
			request->command.cdw12 & NVME_IO_DEALLOCATE));
	return status == NVME_OK && is_durable(nvme, &request->command) ?
		       nvme_flush_then(nvme, request, flushed) :
		       status;
}

static bool range_extent(const struct nvme_backend *backend, const struct nvme_dsm_range *range,
	struct extent *extent)
{
	return extent_of(backend, le64toh(range->slba), le32toh(range->blocks), extent);
}

/*
 * Deallocation is a wish, not an order: blocks keep their content where there is no room
 * for noting the hole, or the device turns out not to know the request.
 */
static uint16_t deallocate(struct nvme_controller *nvme, const struct extent *extent)
{
	int result;

	nvme_overwritten(nvme, extent->offset, extent->length);
	result = nvme_backend_deallocate(nvme, extent->offset, extent->length);
	if (result == -ENOSPC || result == -EDQUOT || result == -EOPNOTSUPP) {
		soft_log(nvme->device, "deallocating failed: %s", strerror(-result));
		return NVME_OK;
	}
	return nvme_write_status(nvme, "deallocating failed", result);
}

/* Only deallocation does anything; the other attributes are hints for media that wear. */
static uint16_t dataset_management(struct nvme_controller *nvme, struct nvme_request *request)
{
	const struct nvme_dsm_range *ranges = (const void *)nvme->scratch;
	size_t count = (request->command.cdw10 & 0xff) + 1;
	struct extent extent;
	uint16_t status;

	if (request->command.nsid != NVME_NSID)
		return NVME_INVALID_NAMESPACE;
	status = nvme_data_from_host(nvme, request, nvme->scratch, count * sizeof(ranges[0]));
	if (status != NVME_OK)
		return status;
	/* All are checked before the first is touched. */
	for (size_t i = 0; i < count; i++)
		if (!range_extent(&nvme->backend, &ranges[i], &extent))
			return NVME_LBA_OUT_OF_RANGE;
	if (!(request->command.cdw11 & NVME_DSM_AD))
		return NVME_OK;
	status = nvme_check_writable(nvme);
	for (size_t i = 0; i < count && status == NVME_OK; i++)
		if (range_extent(&nvme->backend, &ranges[i], &extent))
			status = deallocate(nvme, &extent);
	return status == NVME_OK && !nvme->features.value[NVME_FEAT_WRITE_CACHE] ?
		       nvme_flush_then(nvme, request, flushed) :
		       status;
}

#define WRITES (NVME_EFFECT_SUPPORTED | NVME_EFFECT_CONTENT)

const struct nvme_operation nvme_io_operations[256] = {
	[NVME_IO_FLUSH] = { flush_command, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_IO_WRITE] = { write_command, WRITES, 0, 0 },
	[NVME_IO_READ] = { read_command, NVME_EFFECT_SUPPORTED, 0, 0 },
	[NVME_IO_COMPARE] = { compare_command, NVME_EFFECT_SUPPORTED, NVME_ONCS_COMPARE, 0 },
	[NVME_IO_WRITE_ZEROES] = { write_zeroes_command, WRITES, NVME_ONCS_WRITE_ZEROES, 0 },
	[NVME_IO_DATASET_MANAGEMENT] = { dataset_management, WRITES, NVME_ONCS_DSM, 0 },
};
