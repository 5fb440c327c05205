/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/bar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MSIX_ENTRY_SIZE	  16u
#define MSIX_ENTRY_MASKED 12u /* offset of the mask bit, which begins as 1 */

int vu_bar_space_init(struct vu_bar_space *space, struct vu_device *device)
{
	space->device = device;
	space->msix_size = (size_t)device->pci.msix.vectors * MSIX_ENTRY_SIZE;
	space->msix_table = NULL;
	if (space->msix_size == 0)
		return 0;
	space->msix_table = calloc(1, space->msix_size);
	if (!space->msix_table)
		return ENOMEM;
	for (size_t at = MSIX_ENTRY_MASKED; at < space->msix_size; at += MSIX_ENTRY_SIZE)
		space->msix_table[at] = 1;
	return 0;
}

void vu_bar_space_destroy(struct vu_bar_space *space)
{
	free(space->msix_table);
	space->msix_table = NULL;
}

static size_t piece(uint64_t offset, size_t count)
{
	size_t width = 8;

	while ((offset & (width - 1)) != 0 || width > count)
		width /= 2;
	return width;
}

/*
 * The VMM's copy of these bytes, or NULL. The table begins and ends at
 * multiples of 8, so that a piece lies in it or outside.
 */
static unsigned char *in_msix_table(struct vu_bar_space *space, uint32_t index, uint64_t offset)
{
	const struct vu_msix *msix = &space->device->pci.msix;

	if (!space->msix_table || msix->table_bar != index || offset < msix->table_offset ||
		offset - msix->table_offset >= space->msix_size)
		return NULL;
	return space->msix_table + (offset - msix->table_offset);
}

static bool in_pending_bits(const struct vu_device *device, uint32_t index, uint64_t offset)
{
	const struct vu_msix *msix = &device->pci.msix;
	uint64_t size = (msix->vectors + UINT64_C(63)) / 64 * 8;

	return msix->vectors != 0 && msix->pending_bar == index && offset >= msix->pending_offset &&
	       offset - msix->pending_offset < size;
}

static uint64_t load(const volatile void *address, size_t width)
{
	switch (width) {
	case 1:
		return *(const volatile uint8_t *)address;
	case 2:
		return *(const volatile uint16_t *)address;
	case 4:
		return *(const volatile uint32_t *)address;
	default:
		return *(const volatile uint64_t *)address;
	}
}

static void store(volatile void *address, size_t width, uint64_t value)
{
	switch (width) {
	case 1:
		*(volatile uint8_t *)address = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)address = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)address = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)address = value;
	}
}

static volatile void *mapped(const struct vu_bar *bar, uint64_t offset)
{
	return (volatile unsigned char *)(uintptr_t)bar->mapped + offset;
}

static int read_piece(
	struct vu_bar_space *space, uint32_t index, uint64_t offset, size_t width, uint64_t *value)
{
	const struct vu_bar *bar = &space->device->bars[index];

	if (bar->mapped == 0)
		return vu_device_error(
			space->device, apple_dext_mmio_read(space->device->connection,
					       bar->memory_index, offset, width, value));
	*value = load(mapped(bar, offset), width);
	return 0;
}

static int write_piece(
	struct vu_bar_space *space, uint32_t index, uint64_t offset, size_t width, uint64_t value)
{
	const struct vu_bar *bar = &space->device->bars[index];

	if (bar->mapped == 0)
		return vu_device_error(
			space->device, apple_dext_mmio_write(space->device->connection,
					       bar->memory_index, offset, width, value));
	store(mapped(bar, offset), width, value);
	return 0;
}

/* PCI is little-endian, whatever the host is. */
static void put(uint8_t *data, size_t width, uint64_t value)
{
	for (size_t i = 0; i < width; i++)
		data[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *data, size_t width)
{
	uint64_t value = 0;

	for (size_t i = 0; i < width; i++)
		value |= (uint64_t)data[i] << (8 * i);
	return value;
}

static bool answers(const struct vu_device *device, uint32_t index, uint16_t command)
{
	bool io = (device->bars[index].type & DEXT_BAR_IO) != 0;

	return (command & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) != 0;
}

int vu_bar_read(struct vu_bar_space *space, uint32_t index, uint64_t offset, uint8_t *data,
	size_t count, uint16_t command)
{
	int error = 0;

	/* A mapped BAR still answers when its device has gone, with nothing of use. */
	if (!vu_device_is_present(space->device))
		return ENODEV;
	if (!answers(space->device, index, command)) {
		memset(data, 0xff, count);
		return 0;
	}
	while (count > 0 && error == 0) {
		size_t width = piece(offset, count);
		const unsigned char *own = in_msix_table(space, index, offset);
		uint64_t value = 0;

		if (own)
			memcpy(data, own, width);
		else
			error = read_piece(space, index, offset, width, &value);
		if (!own)
			put(data, width, value);
		offset += width;
		data += width;
		count -= width;
	}
	return error;
}

int vu_bar_write(struct vu_bar_space *space, uint32_t index, uint64_t offset, const uint8_t *data,
	size_t count, uint16_t command)
{
	int error = 0;

	if (!vu_device_is_present(space->device))
		return ENODEV;
	if (!answers(space->device, index, command))
		return 0;
	while (count > 0 && error == 0) {
		size_t width = piece(offset, count);
		unsigned char *own = in_msix_table(space, index, offset);

		if (own)
			memcpy(own, data, width);
		else if (!in_pending_bits(space->device, index, offset))
			error = write_piece(space, index, offset, width, get(data, width));
		offset += width;
		data += width;
		count -= width;
	}
	return error;
}

/* The larger one; of equal ones the first. */
static void prefer(struct vu_mmap_area *best, uint64_t from, uint64_t to)
{
	if (to > from && to - from > best->size)
		*best = (struct vu_mmap_area){ .offset = from, .size = to - from };
}

/* The pages that hold @size bytes at @offset. */
static struct vu_mmap_area pages_of(uint64_t offset, uint64_t size, uint64_t page)
{
	uint64_t from = offset / page * page, to = (offset + size + page - 1) / page * page;

	return (struct vu_mmap_area){ .offset = from, .size = size != 0 ? to - from : 0 };
}

bool vu_bar_mmap_area(
	const struct vu_device *device, uint32_t index, uint64_t page, struct vu_mmap_area *area)
{
	const struct vu_msix *msix = &device->pci.msix;
	uint64_t table = msix->table_bar == index ? UINT64_C(16) * msix->vectors : 0;
	uint64_t pending = msix->pending_bar == index ? (msix->vectors + UINT64_C(63)) / 64 * 8 : 0;
	struct vu_mmap_area holes[2] = { pages_of(msix->table_offset, table, page),
		pages_of(msix->pending_offset, pending, page) };
	uint64_t end = device->bars[index].size, at = 0;
	size_t first = holes[0].offset > holes[1].offset;

	*area = (struct vu_mmap_area){ .size = 0 };
	for (size_t i = 0; i < 2; i++) {
		const struct vu_mmap_area *hole = &holes[i == 0 ? first : !first];
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
	if (vu_device_error(device, apple_dext_copy_bar_descriptor(
					    device->connection, index, &fd, &offset, &size)) != 0)
		return false;
	if (!is_made_of_pages(bar, offset, size, page)) {
		close(fd);
		apple_dext_return_bar_descriptor(device->connection, index);
		return false;
	}
	bar->descriptor = fd;
	bar->descriptor_offset = offset;
	device->bars_shared = true;
	return true;
}

bool vu_bar_share(struct vu_device *device, uint32_t index, struct vu_shared_bar *shared)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const struct vu_bar *bar = &device->bars[index];

	if (device->options.bar_access != VU_BARS_SHARED || bar->size == 0 ||
		(bar->type & DEXT_BAR_IO) != 0 || !vu_device_is_present(device) ||
		!vu_bar_mmap_area(device, index, page, &shared->area) ||
		!borrow(device, (uint8_t)index, page))
		return false;
	shared->fd = bar->descriptor;
	shared->offset = bar->descriptor_offset;
	return true;
}

void vu_bar_unshare_all(struct vu_device *device)
{
	for (uint8_t i = 0; i < DEXT_BARS; i++) {
		if (device->bars[i].descriptor < 0)
			continue;
		vu_device_unmap_bar(device, i);
		if (vu_device_is_present(device))
			vu_device_error(device, vu_device_map_bar(device, i));
	}
	device->bars_shared = false;
}
