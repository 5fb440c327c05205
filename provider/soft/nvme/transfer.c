/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving the data of a command: between the host's memory and a buffer, or the file. */
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

uint16_t nvme_data_to_host(struct nvme_controller *nvme, const struct nvme_request *request,
	const void *data, size_t length)
{
	const uint8_t *from = data;
	uint16_t status = nvme_prp_map(nvme, &request->command, length);

	if (status != NVME_OK)
		return status;
	for (size_t i = 0; i < nvme->segment_count; i++) {
		const struct nvme_segment *segment = &nvme->segments[i];

		if (!soft_dma_write(nvme->device, segment->address, from, segment->length))
			return NVME_DATA_TRANSFER_ERROR;
		from += segment->length;
	}
	return NVME_OK;
}

uint16_t nvme_data_from_host(struct nvme_controller *nvme, const struct nvme_request *request,
	void *data, size_t length)
{
	uint8_t *to = data;
	uint16_t status = nvme_prp_map(nvme, &request->command, length);

	if (status != NVME_OK)
		return status;
	for (size_t i = 0; i < nvme->segment_count; i++) {
		const struct nvme_segment *segment = &nvme->segments[i];

		if (!soft_dma_read(nvme->device, segment->address, to, segment->length))
			return NVME_DATA_TRANSFER_ERROR;
		to += segment->length;
	}
	return NVME_OK;
}

/* @medium: what to say when it is the file that failed. */
static uint16_t status_of(struct nvme_controller *nvme, int result, uint16_t medium)
{
	if (result == 0)
		return NVME_OK;
	if (result == -EFAULT)
		return NVME_DATA_TRANSFER_ERROR;
	if (result == -ENOSPC || result == -EDQUOT)
		return NVME_CAPACITY_EXCEEDED;
	nvme->statistics.media_errors++;
	return medium;
}

typedef int move_fn(struct soft_device *device, uint64_t bus_address, int fd, uint64_t offset,
	size_t length);

static uint16_t move(struct nvme_controller *nvme, uint64_t offset, move_fn *fn, uint16_t medium)
{
	for (size_t i = 0; i < nvme->segment_count; i++) {
		const struct nvme_segment *segment = &nvme->segments[i];
		int result;

		if (nvme_halted(nvme))
			return NVME_NO_COMPLETION;
		result = fn(nvme->device, segment->address, nvme->backend.fd, offset,
			segment->length);
		if (result < 0)
			return status_of(nvme, result, medium);
		offset += segment->length;
	}
	return NVME_OK;
}

uint16_t nvme_file_to_segments(struct nvme_controller *nvme, uint64_t offset)
{
	return move(nvme, offset, soft_dma_from_file, NVME_UNRECOVERED_READ);
}

uint16_t nvme_segments_to_file(struct nvme_controller *nvme, uint64_t offset)
{
	return move(nvme, offset, soft_dma_to_file, NVME_WRITE_FAULT);
}

static bool read_file(int fd, uint8_t *buffer, size_t length, uint64_t offset)
{
	while (length) {
		ssize_t count = pread(fd, buffer, length, (off_t)offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		buffer += count;
		offset += (size_t)count;
		length -= (size_t)count;
	}
	return true;
}

static uint16_t compare_piece(struct nvme_controller *nvme, uint64_t address, uint64_t offset,
	size_t length)
{
	if (!soft_dma_read(nvme->device, address, nvme->scratch, length))
		return NVME_DATA_TRANSFER_ERROR;
	if (!read_file(nvme->backend.fd, nvme->scratch_file, length, offset))
		return status_of(nvme, -EIO, NVME_UNRECOVERED_READ);
	return memcmp(nvme->scratch, nvme->scratch_file, length) ? NVME_COMPARE_FAILURE : NVME_OK;
}

uint16_t nvme_segments_compare(struct nvme_controller *nvme, uint64_t offset)
{
	for (size_t i = 0; i < nvme->segment_count; i++) {
		struct nvme_segment segment = nvme->segments[i];

		while (segment.length) {
			size_t length = segment.length < NVME_SCRATCH ? segment.length
								      : NVME_SCRATCH;
			uint16_t status = nvme_halted(nvme)
				? NVME_NO_COMPLETION
				: compare_piece(nvme, segment.address, offset, length);

			if (status != NVME_OK)
				return status;
			segment.address += length;
			segment.length -= length;
			offset += length;
		}
	}
	return NVME_OK;
}
