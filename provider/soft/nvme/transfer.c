/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PRP entries (NVMe 1.4, 4.3), and moving a command's data between host memory and a buffer
 * or the namespace's file. All entries are read and checked before the first byte moves;
 * adjacent pages are joined.
 */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define PRP_SIZE sizeof(uint64_t)

static void add_segment(struct nvme_controller *nvme, uint64_t address, size_t length)
{
	struct dma_segment *last = &nvme->segments[nvme->segment_count];

	/* A sum of zero has gone past the last address there is. */
	if (nvme->segment_count && address && last[-1].bus_address + last[-1].length == address) {
		last[-1].length += length;
		return;
	}
	*last = (struct dma_segment){ .bus_address = address, .length = length };
	nvme->segment_count++;
}

/* Whole pages, but for the last. Return: whether the entry was one that starts a page. */
static bool add_page(struct nvme_controller *nvme, uint64_t entry, uint64_t *left)
{
	uint64_t length = *left < nvme->page ? *left : nvme->page;

	if (entry & (nvme->page - 1))
		return false;
	add_segment(nvme, entry, length);
	*left -= length;
	return true;
}

/* Read the @count entries of a list at @list into nvme->prp_list. */
static bool read_list(struct nvme_controller *nvme, uint64_t list, uint64_t count)
{
	if (!soft_dma_read(nvme->device, list, nvme->prp_list, count * PRP_SIZE))
		return false;
	for (uint64_t i = 0; i < count; i++)
		nvme->prp_list[i] = le64toh(nvme->prp_list[i]);
	return true;
}

/*
 * The first list may begin inside a page, but ends with it. Where there is more to come
 * its last entry points at the next list, which begins a page: at least 512 entries, so
 * that lists that lead nowhere come to an end.
 */
static uint16_t map_list(struct nvme_controller *nvme, uint64_t list, uint64_t left)
{
	if (list & (PRP_SIZE - 1))
		return NVME_INVALID_PRP_OFFSET;
	while (left) {
		uint64_t wanted = (left + nvme->page - 1) / nvme->page;
		uint64_t slots = (nvme->page - (list & (nvme->page - 1))) / PRP_SIZE;
		uint64_t count = wanted < slots ? wanted : slots;
		bool chained = wanted > slots;

		if (!read_list(nvme, list, count))
			return NVME_DATA_TRANSFER_ERROR;
		for (uint64_t i = 0; i < count - (chained ? 1 : 0); i++)
			if (!add_page(nvme, nvme->prp_list[i], &left))
				return NVME_INVALID_PRP_OFFSET;
		if (!chained)
			break;
		list = nvme->prp_list[count - 1];
		if (list & (nvme->page - 1))
			return NVME_INVALID_PRP_OFFSET;
	}
	return NVME_OK;
}

uint16_t nvme_prp_map(
	struct nvme_controller *nvme, const struct nvme_command *command, uint64_t length)
{
	uint64_t first = nvme->page - (command->prp1 & (nvme->page - 1));
	uint64_t left = length;

	nvme->segment_count = 0;
	if (length > nvme->mdts)
		return NVME_INVALID_FIELD;
	if (command->prp1 & 3)
		return NVME_INVALID_PRP_OFFSET;
	if (first > left)
		first = left;
	add_segment(nvme, command->prp1, first);
	left -= first;
	if (left > nvme->page)
		return map_list(nvme, command->prp2, left);
	if (left && !add_page(nvme, command->prp2, &left))
		return NVME_INVALID_PRP_OFFSET;
	return NVME_OK;
}

uint16_t nvme_data_to_host(struct nvme_controller *nvme, const struct nvme_request *request,
	const void *data, size_t length)
{
	const uint8_t *from = data;
	uint16_t status = nvme_prp_map(nvme, &request->command, length);

	if (status != NVME_OK)
		return status;
	for (size_t i = 0; i < nvme->segment_count; i++) {
		const struct dma_segment *segment = &nvme->segments[i];

		if (!soft_dma_write(nvme->device, segment->bus_address, from, segment->length))
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
		const struct dma_segment *segment = &nvme->segments[i];

		if (!soft_dma_read(nvme->device, segment->bus_address, to, segment->length))
			return NVME_DATA_TRANSFER_ERROR;
		to += segment->length;
	}
	return NVME_OK;
}

static bool would_wait(int result)
{
	return result == -EAGAIN || result == -EOPNOTSUPP;
}

static uint16_t read_status(struct nvme_controller *nvme, int result)
{
	if (result == 0)
		return NVME_OK;
	if (result == -EFAULT)
		return NVME_DATA_TRANSFER_ERROR;
	if (result == -ENOMEM)
		return NVME_INTERNAL_ERROR;
	nvme->statistics.media_errors++;
	return NVME_UNRECOVERED_READ;
}

uint16_t nvme_file_to_segments(struct nvme_controller *nvme, uint64_t offset)
{
	bool may_wait = !nvme->backend.waits;
	int result = soft_dma_from_file(nvme->device, nvme->segments, nvme->segment_count,
		nvme->backend.fd, offset, may_wait);

	if (nvme_halted(nvme))
		return NVME_NO_COMPLETION;
	return !may_wait && would_wait(result) ? NVME_NOT_CACHED : read_status(nvme, result);
}

uint16_t nvme_job_to_host(struct nvme_controller *nvme, const struct nvme_request *request,
	const struct nvme_job *job)
{
	return job->result < 0 ? read_status(nvme, job->result) :
				 nvme_data_to_host(nvme, request, job->data, job->length);
}

static int write_direct(struct nvme_controller *nvme, uint64_t offset)
{
	int result = soft_dma_to_file(
		nvme->device, nvme->segments, nvme->segment_count, nvme->backend.fd, offset);

	return result == 0 && nvme_halted(nvme) ? -ECANCELED : result;
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
		struct dma_segment segment = nvme->segments[i];

		while (segment.length) {
			size_t room = NVME_SCRATCH - filled;
			size_t part = segment.length < room ? segment.length : room;

			if (!soft_dma_read(nvme->device, segment.bus_address,
				    nvme->scratch + filled, part))
				return -EFAULT;
			segment.bus_address += part;
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
	bool aligned = (nvme->segments[0].bus_address & (block - 1)) == 0;

	return nvme_write_status(nvme, "writing failed",
		aligned ? write_direct(nvme, offset) : gather(nvme, offset));
}

/* @data: the file's, or NULL: it is read now. */
static uint16_t compare_piece(struct nvme_controller *nvme, uint64_t address, const uint8_t *data,
	uint64_t offset, size_t length)
{
	bool may_wait = !nvme->backend.waits;
	int result = 0;

	if (!soft_dma_read(nvme->device, address, nvme->scratch, length))
		return NVME_DATA_TRANSFER_ERROR;
	if (!data) {
		data = nvme->scratch_file;
		result = nvme_backend_read(
			&nvme->backend, nvme->scratch_file, length, offset, may_wait);
	}
	if (result < 0)
		return !may_wait && would_wait(result) ? NVME_NOT_CACHED :
							 read_status(nvme, result);
	return memcmp(nvme->scratch, data, length) ? NVME_COMPARE_FAILURE : NVME_OK;
}

uint16_t nvme_segments_compare(
	struct nvme_controller *nvme, uint64_t offset, const struct nvme_job *job)
{
	const uint8_t *data = job ? job->data : NULL;

	if (job && job->result < 0)
		return read_status(nvme, job->result);
	for (size_t i = 0; i < nvme->segment_count; i++) {
		struct dma_segment segment = nvme->segments[i];

		while (segment.length) {
			size_t length =
				segment.length < NVME_SCRATCH ? segment.length : NVME_SCRATCH;
			uint16_t status = nvme_halted(nvme) ?
						  NVME_NO_COMPLETION :
						  compare_piece(nvme, segment.bus_address, data,
							  offset, length);

			if (status != NVME_OK)
				return status;
			segment.bus_address += length;
			segment.length -= length;
			offset += length;
			if (data)
				data += length;
		}
	}
	return NVME_OK;
}
