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

uint16_t nvme_data_from_host(
	struct nvme_controller *nvme, const struct nvme_request *request, void *data, size_t length)
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

static uint16_t read_status(struct nvme_controller *nvme, int result)
{
	if (result == 0)
		return NVME_OK;
	if (result == -EFAULT)
		return NVME_DATA_TRANSFER_ERROR;
	nvme->statistics.media_errors++;
	return NVME_UNRECOVERED_READ;
}

typedef int move_fn(
	struct soft_device *device, uint64_t bus_address, int fd, uint64_t offset, size_t length);

/* Return: 0, or a negative errno: -ECANCELED when halted between segments. */
static int move(struct nvme_controller *nvme, uint64_t offset, move_fn *fn)
{
	int result = 0;

	for (size_t i = 0; i < nvme->segment_count && result == 0; i++) {
		const struct nvme_segment *segment = &nvme->segments[i];

		result = nvme_halted(nvme) ? -ECANCELED :
					     fn(nvme->device, segment->address, nvme->backend.fd,
						     offset, segment->length);
		offset += segment->length;
	}
	return result;
}

uint16_t nvme_file_to_segments(struct nvme_controller *nvme, uint64_t offset)
{
	int result = move(nvme, offset, soft_dma_from_file);

	return result == -ECANCELED ? NVME_NO_COMPLETION : read_status(nvme, result);
}

static int write_gathered(struct nvme_controller *nvme, size_t length, uint64_t offset)
{
	return nvme_halted(nvme) ?
		       -ECANCELED :
		       nvme_backend_write(&nvme->backend, nvme->scratch, length, offset);
}

/*
 * By way of a buffer, which holds whole blocks: what stops the command in between (a reset,
 * memory that is not there) leaves each block either old or new.
 */
static int gather(struct nvme_controller *nvme, uint64_t offset)
{
	size_t filled = 0;
	int result;

	for (size_t i = 0; i < nvme->segment_count; i++) {
		struct nvme_segment segment = nvme->segments[i];

		while (segment.length) {
			size_t room = NVME_SCRATCH - filled;
			size_t part = segment.length < room ? segment.length : room;

			if (!soft_dma_read(
				    nvme->device, segment.address, nvme->scratch + filled, part))
				return -EFAULT;
			segment.address += part;
			segment.length -= part;
			filled += part;
			if (filled < NVME_SCRATCH)
				continue;
			result = write_gathered(nvme, filled, offset);
			if (result < 0)
				return result;
			offset += filled;
			filled = 0;
		}
	}
	return filled ? write_gathered(nvme, filled, offset) : 0;
}

/*
 * AWUN and AWUPF are 0's based, so one block is never torn. Blocks that begin at a multiple
 * of their size in memory lie within one page and segment each, and are written from there.
 */
uint16_t nvme_segments_to_file(struct nvme_controller *nvme, uint64_t offset)
{
	uint64_t block = UINT64_C(1) << nvme->backend.block_shift;
	bool aligned = (nvme->segments[0].address & (block - 1)) == 0;

	return nvme_write_status(nvme, "writing failed",
		aligned ? move(nvme, offset, soft_dma_to_file) : gather(nvme, offset));
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

static uint16_t compare_piece(
	struct nvme_controller *nvme, uint64_t address, uint64_t offset, size_t length)
{
	if (!soft_dma_read(nvme->device, address, nvme->scratch, length))
		return NVME_DATA_TRANSFER_ERROR;
	if (!read_file(nvme->backend.fd, nvme->scratch_file, length, offset))
		return read_status(nvme, -EIO);
	return memcmp(nvme->scratch, nvme->scratch_file, length) ? NVME_COMPARE_FAILURE : NVME_OK;
}

uint16_t nvme_segments_compare(struct nvme_controller *nvme, uint64_t offset)
{
	for (size_t i = 0; i < nvme->segment_count; i++) {
		struct nvme_segment segment = nvme->segments[i];

		while (segment.length) {
			size_t length =
				segment.length < NVME_SCRATCH ? segment.length : NVME_SCRATCH;
			uint16_t status = nvme_halted(nvme) ? NVME_NO_COMPLETION :
							      compare_piece(nvme, segment.address,
								      offset, length);

			if (status != NVME_OK)
				return status;
			segment.address += length;
			segment.length -= length;
			offset += length;
		}
	}
	return NVME_OK;
}
