/* SPDX-License-Identifier: BSD-3-Clause */
#include "provider/soft/iommu.h"
#include "driver/dma-span.h"

#include <bsd/sys/tree.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mapping {
	RB_ENTRY(mapping) node;
	uint64_t address, length;	/* length - 1 does not carry address past the end */
	size_t span_count;
	struct dma_span spans[];
};

static int compare(struct mapping *a, struct mapping *b)
{
	return (a->address > b->address) - (a->address < b->address);
}

RB_HEAD(mapping_tree, mapping);
RB_GENERATE_INTERNAL(mapping_tree, mapping, node, compare, static __attribute__((unused)))

struct soft_iommu {
	enum soft_iommu_kind kind;
	struct soft_iommu_limits limits;
	/*
	 * Accesses of the device hold the lock for reading as long as they touch
	 * memory, changes of the tree for writing: who has unmapped knows that the
	 * device has let go.
	 */
	pthread_rwlock_t lock;
	struct mapping_tree tree;
	struct soft_iommu_limits used;
	uint64_t next;		/* where to look for a free address */
};

/* Where addresses are given out: a window that identity clients are least likely to want. */
#define IDENTITY_WINDOW_BEGIN (UINT64_C(1) << 46)
#define IDENTITY_WINDOW_END   (UINT64_C(1) << 47)
/* A DART's: its size is what matters, 64 times what can be mapped at a time. */
#define DART_WINDOW_BEGIN     (UINT64_C(1) << 32)
#define DART_WINDOW_END       (UINT64_C(1) << 38)

struct soft_iommu *soft_iommu_create(
	enum soft_iommu_kind kind, const struct soft_iommu_limits *limits)
{
	struct soft_iommu *iommu = calloc(1, sizeof(*iommu));
	pthread_rwlockattr_t attributes;

	if (!iommu)
		return NULL;
	iommu->kind = kind;
	iommu->limits = *limits;
	iommu->next = kind == SOFT_IOMMU_DART ? DART_WINDOW_BEGIN : IDENTITY_WINDOW_BEGIN;
	RB_INIT(&iommu->tree);
	/* A device that is always busy must not keep an unmap waiting for ever. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&iommu->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	return iommu;
}

void soft_iommu_destroy(struct soft_iommu *iommu)
{
	struct mapping *mapping, *next;

	if (!iommu)
		return;
	RB_FOREACH_SAFE (mapping, mapping_tree, &iommu->tree, next) {
		RB_REMOVE(mapping_tree, &iommu->tree, mapping);
		free(mapping);
	}
	pthread_rwlock_destroy(&iommu->lock);
	free(iommu);
}

/* The mapping with the highest address that is at most @address. */
static struct mapping *floor_of(struct soft_iommu *iommu, uint64_t address)
{
	struct mapping *node = RB_ROOT(&iommu->tree), *best = NULL;

	while (node) {
		if (node->address <= address) {
			best = node;
			node = RB_RIGHT(node, node);
		} else {
			node = RB_LEFT(node, node);
		}
	}
	return best;
}

/* A mapping that has a byte in common with [address, address + length), or NULL. */
static struct mapping *overlap(struct soft_iommu *iommu, uint64_t address, uint64_t length)
{
	struct mapping *found = floor_of(iommu, address + (length - 1));

	if (found && found->address < address && address - found->address >= found->length)
		return NULL;
	return found;
}

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

/*
 * A free, aligned stretch of the window: from where the last one ended on, and once
 * more from the beginning. False when there is none.
 */
static bool find_free(struct soft_iommu *iommu, uint64_t length, uint64_t alignment,
	uint64_t *address)
{
	bool dart = iommu->kind == SOFT_IOMMU_DART;
	uint64_t begin = dart ? DART_WINDOW_BEGIN : IDENTITY_WINDOW_BEGIN;
	uint64_t end = dart ? DART_WINDOW_END : IDENTITY_WINDOW_END;
	uint64_t at = align_up(iommu->next, alignment);
	struct mapping *taken;
	bool wrapped = false;

	if (length > end - begin || alignment > end - begin)
		return false;
	for (;;) {
		if (at > end || end - at < length) {
			if (wrapped)
				return false;
			wrapped = true;
			at = align_up(begin, alignment);
			continue;
		}
		taken = overlap(iommu, at, length);
		if (!taken)
			break;
		at = align_up(taken->address + taken->length, alignment);
	}
	iommu->next = at + length;
	*address = at;
	return true;
}

/* What a mapping takes of the limit: of a DART, whole pages. */
static uint64_t bytes_charged(const struct soft_iommu *iommu, const struct mapping *mapping)
{
	if (iommu->kind != SOFT_IOMMU_DART)
		return mapping->length;
	return align_up(mapping->address % SOFT_DART_PAGE + mapping->length, SOFT_DART_PAGE);
}

/* Where a DART maps it: whole pages, and the offset in the first one is the memory's own. */
static kern_return_t place_dart(
	struct soft_iommu *iommu, const struct dma_request *request, struct mapping *mapping)
{
	const struct dma_span *first = &request->spans[0];
	uint64_t va = first->is_private ? first->va : (uintptr_t)first->host;
	uint64_t offset = va % SOFT_DART_PAGE, page;
	uint64_t alignment =
		request->alignment > SOFT_DART_PAGE ? request->alignment : SOFT_DART_PAGE;

	uint64_t size = align_up(offset + request->length, SOFT_DART_PAGE);

	if (iommu->used.maps >= iommu->limits.maps || size > iommu->limits.bytes ||
		iommu->used.bytes > iommu->limits.bytes - size)
		return kIOReturnNoSpace;
	if (!find_free(iommu, size, alignment, &page))
		return kIOReturnNoSpace;
	mapping->address = page + offset;
	return kIOReturnSuccess;
}

static kern_return_t place_identity(
	struct soft_iommu *iommu, const struct dma_request *request, struct mapping *mapping)
{
	uint64_t last;

	if (request->anywhere)
		return find_free(iommu, request->length,
			       request->alignment ? request->alignment : 4096, &mapping->address) ?
			       kIOReturnSuccess :
			       kIOReturnNoSpace;
	if (__builtin_add_overflow(request->iova, request->length - 1, &last))
		return kIOReturnBadArgument;
	if (overlap(iommu, request->iova, request->length))
		return kIOReturnBusy;
	mapping->address = request->iova;
	return kIOReturnSuccess;
}

kern_return_t soft_iommu_map(struct soft_iommu *iommu, const struct dma_request *request,
	struct dma_segment *segment)
{
	size_t size = request->span_count * sizeof(request->spans[0]);
	struct mapping *mapping = malloc(sizeof(*mapping) + size);
	kern_return_t status;

	if (!mapping)
		return kIOReturnNoMemory;
	mapping->length = request->length;
	mapping->span_count = request->span_count;
	memcpy(mapping->spans, request->spans, size);
	pthread_rwlock_wrlock(&iommu->lock);
	status = iommu->kind == SOFT_IOMMU_DART ? place_dart(iommu, request, mapping) :
						  place_identity(iommu, request, mapping);
	if (status == kIOReturnSuccess) {
		RB_INSERT(mapping_tree, &iommu->tree, mapping);
		iommu->used.maps++;
		iommu->used.bytes += bytes_charged(iommu, mapping);
		*segment = (struct dma_segment){ mapping->address, mapping->length };
	}
	pthread_rwlock_unlock(&iommu->lock);
	if (status != kIOReturnSuccess)
		free(mapping);
	return status;
}

void soft_iommu_unmap(struct soft_iommu *iommu, const struct dma_segment *segment)
{
	struct mapping *mapping;

	pthread_rwlock_wrlock(&iommu->lock);
	mapping = floor_of(iommu, segment->bus_address);
	if (mapping && mapping->address == segment->bus_address) {
		RB_REMOVE(mapping_tree, &iommu->tree, mapping);
		iommu->used.maps--;
		iommu->used.bytes -= bytes_charged(iommu, mapping);
	} else {
		mapping = NULL;
	}
	pthread_rwlock_unlock(&iommu->lock);
	free(mapping);
}

void soft_iommu_get_limits(struct soft_iommu *iommu, struct dma_limits *limits)
{
	bool dart = iommu->kind == SOFT_IOMMU_DART;

	pthread_rwlock_rdlock(&iommu->lock);
	*limits = (struct dma_limits){
		.kind = dart ? DEXT_IOMMU_DART : DEXT_IOMMU_IDENTITY,
		.bytes = dart ? iommu->limits.bytes : UINT64_MAX,
		.maps = dart ? iommu->limits.maps : UINT64_MAX,
		.bytes_used = iommu->used.bytes,
		.maps_used = iommu->used.maps,
	};
	pthread_rwlock_unlock(&iommu->lock);
}

/* One access to the part of it that lies in one mapping. The lock is held for reading. */
typedef int (*piece_function)(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length);

static int for_each_piece(struct soft_iommu *iommu, uint64_t address, size_t length,
	piece_function access, void *context)
{
	int status = 0;

	if (length && address + (length - 1) < address)
		return -EFAULT;
	pthread_rwlock_rdlock(&iommu->lock);
	while (length && status == 0) {
		struct mapping *mapping = floor_of(iommu, address);
		uint64_t offset = mapping ? address - mapping->address : 0;
		size_t part = length;

		if (!mapping || offset >= mapping->length) {
			status = -EFAULT;
			break;
		}
		if (part > mapping->length - offset)
			part = (size_t)(mapping->length - offset);
		status = access(context, mapping, offset, part);
		address += part;
		length -= part;
	}
	pthread_rwlock_unlock(&iommu->lock);
	return status;
}

static int read_piece(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length)
{
	char **buffer = context;
	bool there = dma_spans_read(mapping->spans, mapping->span_count, offset, *buffer, length);

	*buffer += length;
	return there ? 0 : -EFAULT;
}

static int write_piece(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length)
{
	const char **buffer = context;
	bool there = dma_spans_write(mapping->spans, mapping->span_count, offset, *buffer, length);

	*buffer += length;
	return there ? 0 : -EFAULT;
}

bool soft_iommu_read(struct soft_iommu *iommu, uint64_t address, void *buffer, size_t length)
{
	return for_each_piece(iommu, address, length, read_piece, &buffer) == 0;
}

bool soft_iommu_write(
	struct soft_iommu *iommu, uint64_t address, const void *buffer, size_t length)
{
	return for_each_piece(iommu, address, length, write_piece, &buffer) == 0;
}

struct file_access {
	int fd;
	uint64_t offset;
	bool to_memory;
};

/*
 * One system call, with memory on one side and the file on the other.
 * Returns the bytes moved or a negative errno.
 */
static ssize_t file_call(const struct file_access *file, const struct iovec *iov)
{
	ssize_t moved;

	do
		moved = file->to_memory ? preadv(file->fd, iov, 1, (off_t)file->offset) :
					  pwritev(file->fd, iov, 1, (off_t)file->offset);
	while (moved < 0 && errno == EINTR);
	if (moved < 0)
		return -errno;
	return moved ? moved : -EIO;	/* the file ends here */
}

/* Memory that is not mapped in this process goes through a buffer. */
static ssize_t bounce(const struct file_access *file, const struct mapping *mapping,
	uint64_t offset, size_t length)
{
	char buffer[16384];
	struct iovec iov = { buffer, length < sizeof(buffer) ? length : sizeof(buffer) };
	ssize_t moved;

	if (!file->to_memory && !dma_spans_read(mapping->spans, mapping->span_count, offset,
					 buffer, iov.iov_len))
		return -EFAULT;
	moved = file_call(file, &iov);
	if (moved > 0 && file->to_memory &&
		!dma_spans_write(mapping->spans, mapping->span_count, offset, buffer,
			(size_t)moved))
		return -EFAULT;
	return moved;
}

static int file_piece(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length)
{
	struct file_access *file = context;

	while (length) {
		struct iovec iov;
		ssize_t moved;

		if (dma_spans_iovec(mapping->spans, mapping->span_count, offset, length,
			    file->to_memory, &iov))
			moved = file_call(file, &iov);
		else
			moved = bounce(file, mapping, offset, length);
		if (moved < 0)
			return (int)moved;
		file->offset += (uint64_t)moved;
		offset += (uint64_t)moved;
		length -= (size_t)moved;
	}
	return 0;
}

int soft_iommu_from_file(
	struct soft_iommu *iommu, uint64_t address, int fd, uint64_t offset, size_t length)
{
	struct file_access file = { .fd = fd, .offset = offset, .to_memory = true };

	return for_each_piece(iommu, address, length, file_piece, &file);
}

int soft_iommu_to_file(
	struct soft_iommu *iommu, uint64_t address, int fd, uint64_t offset, size_t length)
{
	struct file_access file = { .fd = fd, .offset = offset, .to_memory = false };

	return for_each_piece(iommu, address, length, file_piece, &file);
}
