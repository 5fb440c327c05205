/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/share.h"

#include <unistd.h>

/* The larger one; of equal ones the first. */
static void prefer(struct vu_area *best, uint64_t from, uint64_t to)
{
	if (to > from && to - from > best->size)
		*best = (struct vu_area){ .offset = from, .size = to - from };
}

/* The pages that hold @size bytes at @offset. */
static struct vu_area pages_of(uint64_t offset, uint64_t size, uint64_t page)
{
	uint64_t from = offset / page * page, to = (offset + size + page - 1) / page * page;

	return (struct vu_area){ .offset = from, .size = size != 0 ? to - from : 0 };
}

bool vu_share_area(
	const struct vu_device *device, uint32_t index, uint64_t page, struct vu_area *area)
{
	const struct vu_msix *msix = &device->msix;
	uint64_t table = msix->table_bar == index ? UINT64_C(16) * msix->vectors : 0;
	uint64_t pending = msix->pending_bar == index ? (msix->vectors + UINT64_C(63)) / 64 * 8 : 0;
	struct vu_area holes[2] = { pages_of(msix->table_offset, table, page),
		pages_of(msix->pending_offset, pending, page) };
	uint64_t end = device->bars[index].size, at = 0;
	size_t first = holes[0].offset > holes[1].offset;

	*area = (struct vu_area){ .size = 0 };
	for (size_t i = 0; i < 2; i++) {
		const struct vu_area *hole = &holes[i == 0 ? first : !first];
		uint64_t after = hole->offset + hole->size;

		if (hole->size == 0 || hole->offset >= end)
			continue;
		prefer(area, at, hole->offset);
		at = after > at ? after : at;
	}
	prefer(area, at, end);
	return area->size != 0;
}

/* Whether the pages of a file can be the pages of the BAR. */
static bool is_made_of_pages(
	const struct vu_bar *bar, uint64_t offset, uint64_t size, uint64_t page)
{
	return bar->size % page == 0 && offset % page == 0 && size >= bar->size;
}

/* Get hold of the descriptor, once for a session. */
static bool borrow(struct vu_device *device, uint8_t index, uint64_t page)
{
	struct vu_bar *bar = &device->bars[index];
	uint64_t offset, size;
	int fd;

	if (bar->descriptor >= 0)
		return true;
	if (vu_device_result(device, apple_dext_copy_bar_descriptor(
					     device->connection, index, &fd, &offset, &size)) != 0)
		return false;
	if (!is_made_of_pages(bar, offset, size, page)) {
		close(fd);
		apple_dext_return_bar_descriptor(device->connection, index);
		return false;
	}
	bar->descriptor = fd;
	bar->descriptor_offset = offset;
	device->lent = true;
	return true;
}

bool vu_share_bar(struct vu_device *device, uint32_t index, struct vu_shared *shared)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const struct vu_bar *bar = &device->bars[index];

	if (device->options.bar_access != VU_BARS_SHARED || bar->size == 0 ||
		(bar->type & DEXT_BAR_IO) != 0 || !vu_device_is_present(device) ||
		!vu_share_area(device, index, page, &shared->area) ||
		!borrow(device, (uint8_t)index, page))
		return false;
	shared->fd = bar->descriptor;
	shared->offset = bar->descriptor_offset;
	return true;
}

void vu_share_end(struct vu_device *device)
{
	for (uint8_t i = 0; i < DEXT_BARS; i++) {
		if (device->bars[i].descriptor < 0)
			continue;
		vu_device_unmap_bar(device, i);
		if (vu_device_is_present(device))
			vu_device_result(device, vu_device_map_bar(device, i));
	}
	device->lent = false;
}
