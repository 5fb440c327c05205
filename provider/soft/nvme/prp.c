/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Physical region pages: where a command's data is. All of it is found out and checked
 * before the first byte moves; pieces that follow each other are joined.
 */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>

#define PRP_SIZE sizeof(uint64_t)

static void add_segment(struct nvme_controller *nvme, uint64_t address, size_t length)
{
	struct nvme_segment *last = &nvme->segments[nvme->segment_count];

	/* A sum of zero has gone past the last address there is. */
	if (nvme->segment_count && address && last[-1].address + last[-1].length == address) {
		last[-1].length += length;
		return;
	}
	*last = (struct nvme_segment){ .address = address, .length = length };
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
