/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/fd-kind.h"
#include "vfio-user/dma.h"
#include "vfio-user/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ranges that are registered, or unregistered, together. */
#define RANGES_PER_BATCH 64

struct vu_dma_range {
	uint64_t address, size, offset;
	uint32_t flags; /* VFIO_USER_F_DMA_REGION_* */
	int fd;		/* -1: not shared; of a kind whose close() does not wait */
	void *mapping;	/* NULL: the driver takes the descriptor; begins at a page of the file */
	size_t mapping_size;
	bool registered;
};

void vu_dma_init(struct vu_dma *dma, struct vu_device *device, size_t limit, uint64_t page_size)
{
	*dma = (struct vu_dma){ .device = device, .limit = limit, .page_size = page_size };
}

/* The driver has unregistered a range, with @status. */
static void end_unregistration(struct vu_dma *dma, struct vu_dma_range *range, kern_return_t status)
{
	range->registered = false;
	vu_device_error(dma->device, status);
	/* An access is still running: it must not reach what would be mapped there next. */
	if (status == kIOReturnTimeout)
		range->mapping = NULL;
}

static void free_range(struct vu_dma *dma, struct vu_dma_range *range)
{
	if (range->registered)
		end_unregistration(dma, range,
			apple_dext_unregister_dma(dma->device->connection, range->address));
	if (range->mapping)
		munmap(range->mapping, range->mapping_size);
	if (range->fd >= 0)
		close(range->fd);
	free(range);
}

/* Unregister @count ranges, at most RANGES_PER_BATCH. */
static void unregister_batch(struct vu_dma *dma, struct vu_dma_range *const *ranges, size_t count)
{
	uint64_t iovas[RANGES_PER_BATCH] = { 0 };
	kern_return_t statuses[RANGES_PER_BATCH];

	for (size_t i = 0; i < count; i++)
		iovas[i] = ranges[i]->address;
	/* There is a status for each, also when the call fails. */
	apple_dext_unregister_dma_batch(dma->device->connection, iovas, count, statuses);
	for (size_t i = 0; i < count; i++)
		end_unregistration(dma, ranges[i], statuses[i]);
}

/* Call @handle with all ranges for which @wanted holds, RANGES_PER_BATCH at a time. */
static void for_batches(struct vu_dma *dma, bool (*wanted)(const struct vu_dma_range *range),
	void (*handle)(struct vu_dma *dma, struct vu_dma_range *const *ranges, size_t count))
{
	struct vu_dma_range *batch[RANGES_PER_BATCH];
	size_t count = 0;

	for (size_t i = 0; i < dma->count; i++) {
		if (wanted(dma->ranges[i]))
			batch[count++] = dma->ranges[i];
		if (count == RANGES_PER_BATCH) {
			handle(dma, batch, count);
			count = 0;
		}
	}
	if (count > 0)
		handle(dma, batch, count);
}

static bool is_registered(const struct vu_dma_range *range)
{
	return range->registered;
}

static bool is_shared(const struct vu_dma_range *range)
{
	return range->fd >= 0;
}

static void free_all(struct vu_dma *dma)
{
	for_batches(dma, is_registered, unregister_batch);
	while (dma->count > 0)
		free_range(dma, dma->ranges[--dma->count]);
}

void vu_dma_destroy(struct vu_dma *dma)
{
	free_all(dma);
	free(dma->ranges);
	dma->ranges = NULL;
	dma->room = 0;
}

/* How many ranges end at or before @address: where one that begins there belongs. */
static size_t place_of(const struct vu_dma *dma, uint64_t address)
{
	size_t low = 0, high = dma->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct vu_dma_range *range = dma->ranges[middle];

		if (range->address + (range->size - 1) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_multiple(uint64_t value, uint64_t page_size)
{
	return (value & (page_size - 1)) == 0;
}

/* Whether [@start, @start + @size) is a range that ends at @limit at the latest. */
static bool is_range(uint64_t start, uint64_t size, uint64_t limit)
{
	return size != 0 && start <= limit && size - 1 <= limit - start;
}

static int check_map(const struct vu_dma *dma, const struct vfio_user_dma_map *request, int fd)
{
	const uint32_t known = VFIO_USER_F_DMA_REGION_READ | VFIO_USER_F_DMA_REGION_WRITE;

	if ((request->flags & known) == 0 || (request->flags & ~known) != 0)
		return EINVAL;
	if (!is_multiple(request->address | request->size, dma->page_size) ||
		!is_range(request->address, request->size, UINT64_MAX))
		return EINVAL;
	if (fd >= 0 && (!is_multiple(request->offset, VU_PAGE_SIZE) ||
			       !is_range(request->offset, request->size, INT64_MAX)))
		return EINVAL;
	return 0;
}

/* Other kinds may block a thread that uses or closes them. */
static int check_kind(struct vu_dma *dma, int fd)
{
	enum fd_kind kind = fd_kind(fd);

	if (kind == FD_KIND_MEMORY || kind == FD_KIND_LOCAL_FILE)
		return 0;
	if (!dma->logged_file_kind)
		vu_log("device %s: guest memory refused: it must be a memfd, or a file of "
		       "tmpfs, hugetlbfs or a local disk",
			dma->device->name);
	dma->logged_file_kind = true;
	return EINVAL;
}

/* An access past the end of the file would raise SIGBUS. */
static int check_file(const struct vu_dma_range *range)
{
	struct stat status;
	int mode;

	if (fstat(range->fd, &status) != 0 || status.st_size < 0 ||
		(uint64_t)status.st_size < range->offset + range->size)
		return EINVAL;
	/* A mapping needs read access whatever it is for. */
	mode = fcntl(range->fd, F_GETFL) & O_ACCMODE;
	if (mode == O_WRONLY ||
		((range->flags & VFIO_USER_F_DMA_REGION_WRITE) != 0 && mode != O_RDWR))
		return EACCES;
	return 0;
}

/* The kind first: fstat() may wait on a file of another kind. */
static int check_descriptor(struct vu_dma *dma, const struct vu_dma_range *range)
{
	int error = check_kind(dma, range->fd);

	return error != 0 ? error : check_file(range);
}

/* Map a range, if it is not mapped, for a driver that takes addresses and not descriptors. */
static int map_range(struct vu_dma_range *range)
{
	/* Pages may be larger here than the protocol's. */
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t lead = range->offset & (page - 1);
	bool writable = (range->flags & VFIO_USER_F_DMA_REGION_WRITE) != 0;
	void *mapping;

	if (range->mapping)
		return 0;
	if (range->size > SIZE_MAX - lead)
		return EINVAL;
	range->mapping_size = (size_t)(range->size + lead);
	mapping = mmap(NULL, range->mapping_size, PROT_READ | (writable ? PROT_WRITE : 0),
		MAP_SHARED, range->fd, (off_t)(range->offset - lead));
	if (mapping == MAP_FAILED)
		return errno;
	range->mapping = mapping;
	return 0;
}

static void log_translation(struct vu_dma *dma, uint64_t address, uint64_t bus_address)
{
	if (dma->logged_translation || bus_address == address)
		return;
	dma->logged_translation = true;
	vu_log("device %s: guest memory at 0x%" PRIx64 " is at bus address 0x%" PRIx64
	       ": DMA does not work unless the guest translates addresses",
		dma->device->name, address, bus_address);
}

static AppleDextDMAFile make_request(const struct vu_dma_range *range)
{
	bool reads = (range->flags & VFIO_USER_F_DMA_REGION_READ) != 0;
	bool writes = (range->flags & VFIO_USER_F_DMA_REGION_WRITE) != 0;
	AppleDextDMAFile request = {
		.iova = range->address,
		.size = range->size,
		.offset = range->offset,
		.fd = range->fd,
		.flags = (uint32_t)((reads ? DEXT_DMA_DEVICE_READS : 0) |
				    (writes ? DEXT_DMA_DEVICE_WRITES : 0)),
	};

	if (range->mapping)
		request.client_va =
			(uint64_t)(uintptr_t)range->mapping + (range->mapping_size - range->size);
	return request;
}

/* Record the result of a registration. Return: 0 or an errno. */
static int end_registration(
	struct vu_dma *dma, struct vu_dma_range *range, kern_return_t status, uint64_t bus_address)
{
	int error = vu_device_error(dma->device, status);

	/* Disconnected meanwhile: registered when the device is back. */
	if (error != 0)
		return vu_device_is_present(dma->device) ? error : 0;
	range->registered = true;
	log_translation(dma, range->address, bus_address);
	return 0;
}

static kern_return_t call_register(
	struct vu_dma *dma, const struct vu_dma_range *range, uint64_t *bus_address)
{
	const AppleDextDMAFile request = make_request(range);

	*bus_address = range->address;
	return apple_dext_register_dma_fd(dma->device->connection, request.iova, request.fd,
		request.offset, request.client_va, request.size, request.flags, bus_address, NULL);
}

/*
 * The driver checks kind, size and access of a descriptor that it takes (docs/runtime-protocol.md).
 * check_descriptor() is for the other cases, and says what is wrong.
 */
static int register_range(struct vu_dma *dma, struct vu_dma_range *range)
{
	kern_return_t status;
	uint64_t bus_address;
	int error;

	if (!vu_device_is_present(dma->device))
		return check_descriptor(dma, range);
	status = call_register(dma, range, &bus_address);
	if (status != kIOReturnSuccess) {
		error = check_descriptor(dma, range);
		if (error != 0)
			return error;
	}
	if (status == kIOReturnUnsupported) {
		error = map_range(range);
		if (error != 0)
			return error;
		status = call_register(dma, range, &bus_address);
	}
	return end_registration(dma, range, status, bus_address);
}

static int make_room(struct vu_dma *dma)
{
	size_t room = dma->room != 0 ? dma->room * 2 : 64;
	struct vu_dma_range **ranges;

	if (dma->count >= dma->limit)
		return ENOSPC;
	if (dma->count < dma->room)
		return 0;
	ranges = realloc(dma->ranges, room * sizeof(ranges[0]));
	if (!ranges)
		return ENOMEM;
	dma->ranges = ranges;
	dma->room = room;
	return 0;
}

static int check_place(
	const struct vu_dma *dma, const struct vfio_user_dma_map *request, size_t place)
{
	uint64_t last = request->address + (request->size - 1);

	if (place < dma->count && dma->ranges[place]->address <= last)
		return EEXIST;
	return 0;
}

static int add_range(
	struct vu_dma *dma, const struct vfio_user_dma_map *request, size_t place, int fd)
{
	struct vu_dma_range *range = calloc(1, sizeof(*range));
	int error = 0;

	if (!range)
		return ENOMEM;
	range->address = request->address;
	range->size = request->size;
	range->offset = request->offset;
	range->flags = request->flags;
	range->fd = fd;
	if (fd >= 0)
		error = register_range(dma, range);
	if (error != 0) {
		range->fd = -1;
		free_range(dma, range);
		return error;
	}
	memmove(dma->ranges + place + 1, dma->ranges + place,
		(dma->count - place) * sizeof(dma->ranges[0]));
	dma->ranges[place] = range;
	dma->count++;
	return 0;
}

int vu_dma_map(struct vu_dma *dma, const struct vfio_user_dma_map *request, int fd)
{
	size_t place = 0;
	int error = check_map(dma, request, fd);

	if (error == 0) {
		place = place_of(dma, request->address);
		error = check_place(dma, request, place);
	}
	if (error == 0)
		error = make_room(dma);
	if (error == 0)
		error = add_range(dma, request, place, fd);
	return error;
}

static int check_unmap(const struct vfio_user_dma_unmap *request)
{
	if ((request->flags & ~(VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP)) !=
		0)
		return EINVAL;
	if ((request->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) != 0)
		return (request->flags & VFIO_DMA_UNMAP_FLAG_ALL) != 0 ? EINVAL : ENOTSUP;
	if ((request->flags & VFIO_DMA_UNMAP_FLAG_ALL) != 0)
		return request->address != 0 || request->size != 0 ? EINVAL : 0;
	return is_range(request->address, request->size, UINT64_MAX) ? 0 : EINVAL;
}

int vu_dma_unmap(struct vu_dma *dma, const struct vfio_user_dma_unmap *request)
{
	size_t place;
	int error = check_unmap(request);

	if (error != 0)
		return error;
	if ((request->flags & VFIO_DMA_UNMAP_FLAG_ALL) != 0) {
		free_all(dma);
		return 0;
	}
	place = place_of(dma, request->address);
	if (place == dma->count || dma->ranges[place]->address != request->address)
		return ENOENT;
	if (dma->ranges[place]->size != request->size)
		return EINVAL;
	free_range(dma, dma->ranges[place]);
	dma->count--;
	memmove(dma->ranges + place, dma->ranges + place + 1,
		(dma->count - place) * sizeof(dma->ranges[0]));
	return 0;
}

/* Register @count ranges, at most RANGES_PER_BATCH. */
static void register_batch(struct vu_dma *dma, struct vu_dma_range *const *ranges, size_t count)
{
	AppleDextDMAFile requests[RANGES_PER_BATCH] = { 0 };
	AppleDextDMAResult results[RANGES_PER_BATCH];

	if (!vu_device_is_present(dma->device))
		return;
	for (size_t i = 0; i < count; i++)
		requests[i] = make_request(ranges[i]);
	/* Results have a status each, also when the call fails. */
	apple_dext_register_dma_fd_batch(dma->device->connection, requests, count, results);
	for (size_t i = 0; i < count; i++) {
		/* A driver without descriptors has taken the place of one that had them. */
		int error = results[i].status == kIOReturnUnsupported ?
				    register_range(dma, ranges[i]) :
				    end_registration(dma, ranges[i], results[i].status,
					    results[i].bus_address);

		if (error != 0)
			vu_log("device %s: guest memory at 0x%" PRIx64 " cannot be registered: %s",
				dma->device->name, ranges[i]->address, vu_errno_name(error));
	}
}

void vu_dma_register_all(struct vu_dma *dma)
{
	for (size_t i = 0; i < dma->count; i++)
		dma->ranges[i]->registered = false;
	for_batches(dma, is_shared, register_batch);
}

void vu_dma_warn_if_unshared(struct vu_dma *dma)
{
	for (size_t i = 0; i < dma->count; i++)
		if (dma->ranges[i]->fd >= 0)
			return;
	if (!dma->logged_unshared)
		vu_log("device %s: bus mastering is enabled, but the client has not shared any "
		       "memory: "
		       "for QEMU, -object memory-backend-memfd,...,share=on",
			dma->device->name);
	dma->logged_unshared = true;
}
