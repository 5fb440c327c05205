/* SPDX-License-Identifier: BSD-3-Clause */
#include "provider/soft/iommu.h"
#include "common/dma-span.h"
#include "provider/soft/worker.h"

#include <bsd/sys/tree.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct mapping {
	RB_ENTRY(mapping) node;
	/* One of the tree's, one of each access under way: the last one frees it. */
	atomic_uint references;
	struct dma_owner *owner;  /* of the memory, held; or NULL */
	uint64_t address, length; /* length - 1 does not carry address past the end */
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
	 * Guards what follows. It is a leaf, and never held over an access to memory:
	 * accesses look their mapping up and hold a reference to it instead.
	 */
	pthread_rwlock_t lock;
	struct mapping_tree tree;
	struct soft_iommu_limits used;
	uint64_t next; /* where to look for a free address */
};

/* Where addresses are given out: a window that identity clients are least likely to want. */
#define IDENTITY_WINDOW_BEGIN (UINT64_C(1) << 46)
#define IDENTITY_WINDOW_END   (UINT64_C(1) << 47)
/* A DART's: its size is what matters, 64 times what can be mapped at a time. */
#define DART_WINDOW_BEGIN (UINT64_C(1) << 32)
#define DART_WINDOW_END	  (UINT64_C(1) << 38)

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

/* Let go of a mapping. Return: whether it was the last reference. */
static bool put(struct mapping *mapping)
{
	if (atomic_fetch_sub(&mapping->references, 1) != 1)
		return false;
	dma_owner_put(mapping->owner);
	free(mapping);
	return true;
}

/*
 * Give up the tree's reference to a mapping that is not in it any more, when accesses under
 * way have ended or their time is over. Rare enough to look again and again: an access lasts
 * microseconds.
 */
static void retire(struct mapping *mapping)
{
	uint64_t deadline = soft_now_ns() + SOFT_STALL_MS * UINT64_C(1000000);
	long pause_ns = 10000;

	while (atomic_load(&mapping->references) > 1 && soft_now_ns() < deadline) {
		nanosleep(&(struct timespec){ .tv_nsec = pause_ns }, NULL);
		if (pause_ns < 1000000)
			pause_ns *= 2;
	}
	put(mapping);
}

void soft_iommu_destroy(struct soft_iommu *iommu)
{
	struct mapping *mapping, *next;

	if (!iommu)
		return;
	RB_FOREACH_SAFE (mapping, mapping_tree, &iommu->tree, next) {
		RB_REMOVE(mapping_tree, &iommu->tree, mapping);
		put(mapping);
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
static bool find_free(
	struct soft_iommu *iommu, uint64_t length, uint64_t alignment, uint64_t *address)
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

kern_return_t soft_iommu_map(
	struct soft_iommu *iommu, const struct dma_request *request, struct dma_segment *segment)
{
	size_t size = request->span_count * sizeof(request->spans[0]);
	struct mapping *mapping = malloc(sizeof(*mapping) + size);
	kern_return_t status;

	if (!mapping)
		return kIOReturnNoMemory;
	atomic_init(&mapping->references, 1);
	mapping->owner = request->owner;
	mapping->length = request->length;
	mapping->span_count = request->span_count;
	memcpy(mapping->spans, request->spans, size);
	dma_owner_get(mapping->owner);
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
		put(mapping);
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
	if (mapping)
		retire(mapping);
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

/*
 * The mapping that has @address, held until put(); NULL when there is none. @offset: of
 * @address in it; @length: cut to what lies in it.
 */
static struct mapping *pin(
	struct soft_iommu *iommu, uint64_t address, uint64_t *offset, size_t *length)
{
	struct mapping *mapping;

	pthread_rwlock_rdlock(&iommu->lock);
	mapping = floor_of(iommu, address);
	if (mapping && address - mapping->address >= mapping->length)
		mapping = NULL;
	if (mapping)
		atomic_fetch_add(&mapping->references, 1);
	pthread_rwlock_unlock(&iommu->lock);
	if (!mapping)
		return NULL;
	*offset = address - mapping->address;
	if (*length > mapping->length - *offset)
		*length = (size_t)(mapping->length - *offset);
	return mapping;
}

/*
 * What is done with a part of an access that lies in one mapping, or with the beginning of
 * it. Returns the bytes done or a negative errno.
 */
typedef ssize_t (*piece_function)(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length);

/*
 * The memory can hold @access up for ever: no lock is held, and between soft_worker_enter()
 * and soft_worker_leave() only the mapping is touched, since the IOMMU may have gone.
 */
static ssize_t access_memory(struct soft_iommu *iommu, uint64_t address, size_t length,
	piece_function access, void *context)
{
	uint64_t offset;
	struct mapping *mapping = pin(iommu, address, &offset, &length);
	ssize_t moved;

	if (!mapping)
		return -EFAULT;
	soft_worker_enter();
	moved = access(context, mapping, offset, length);
	put(mapping);
	soft_worker_leave();
	return moved;
}

/* An access that ends in a file: it is not abandoned, what it writes would come too late. */
static ssize_t access_file(struct soft_iommu *iommu, uint64_t address, size_t length,
	piece_function access, void *context)
{
	uint64_t offset;
	struct mapping *mapping = pin(iommu, address, &offset, &length);
	ssize_t moved;

	if (!mapping)
		return -EFAULT;
	moved = access(context, mapping, offset, length);
	put(mapping);
	return moved;
}

static bool wraps(uint64_t address, size_t length)
{
	return length && address + (length - 1) < address;
}

static ssize_t read_piece(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length)
{
	return dma_spans_read(mapping->spans, mapping->span_count, offset, context, length) ?
		       (ssize_t)length :
		       -EFAULT;
}

static ssize_t write_piece(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length)
{
	return dma_spans_write(mapping->spans, mapping->span_count, offset, context, length) ?
		       (ssize_t)length :
		       -EFAULT;
}

static bool move_all(struct soft_iommu *iommu, uint64_t address, char *buffer, size_t length,
	piece_function access)
{
	if (wraps(address, length))
		return false;
	while (length) {
		ssize_t moved = access_memory(iommu, address, length, access, buffer);

		if (moved < 0)
			return false;
		address += (size_t)moved;
		buffer += moved;
		length -= (size_t)moved;
	}
	return true;
}

bool soft_iommu_read(struct soft_iommu *iommu, uint64_t address, void *buffer, size_t length)
{
	return move_all(iommu, address, buffer, length, read_piece);
}

bool soft_iommu_write(struct soft_iommu *iommu, uint64_t address, const void *buffer, size_t length)
{
	/* The buffer is only read from; one function serves both directions. */
	return move_all(iommu, address, (char *)(uintptr_t)buffer, length, write_piece);
}

/* A file, and what goes through a buffer because it is not mapped in this process. */
struct file_access {
	int fd;
	uint64_t offset;
	bool bounced;
	char buffer[16384];
};

typedef ssize_t (*vector_call)(int fd, const struct iovec *iov, int count, off_t offset);

/* One system call. Returns the bytes moved or a negative errno. */
static ssize_t file_call(
	const struct file_access *file, vector_call call, void *memory, size_t length)
{
	struct iovec iov = { memory, length };
	ssize_t moved;

	do
		moved = call(file->fd, &iov, 1, (off_t)file->offset);
	while (moved < 0 && errno == EINTR);
	if (moved < 0)
		return -errno;
	return moved ? moved : -EIO; /* the file ends here */
}

/* Straight into memory, if it is mapped; else only say so. */
static ssize_t from_file_piece(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length)
{
	struct file_access *file = context;
	struct iovec iov;

	file->bounced =
		!dma_spans_iovec(mapping->spans, mapping->span_count, offset, length, true, &iov);
	return file->bounced ? 0 : file_call(file, preadv, iov.iov_base, iov.iov_len);
}

static ssize_t from_file(
	struct soft_iommu *iommu, uint64_t address, struct file_access *file, size_t length)
{
	size_t part = length < sizeof(file->buffer) ? length : sizeof(file->buffer);
	ssize_t moved = access_memory(iommu, address, length, from_file_piece, file);

	if (moved < 0 || !file->bounced)
		return moved;
	moved = file_call(file, preadv, file->buffer, part);
	if (moved > 0 && !move_all(iommu, address, file->buffer, (size_t)moved, write_piece))
		return -EFAULT;
	return moved;
}

/*
 * All that can be held up on the way into a file, without writing to it: memory that is
 * mapped is read from once a page, other memory is copied. Otherwise the write that is held
 * up would keep the file locked, and might change it long after a reset.
 */
static ssize_t to_file_prepare(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length)
{
	struct file_access *file = context;
	struct iovec iov;

	file->bounced =
		!dma_spans_iovec(mapping->spans, mapping->span_count, offset, length, false, &iov);
	if (!file->bounced)
		return dma_touch(iov.iov_base, iov.iov_len) ? (ssize_t)iov.iov_len : -EFAULT;
	if (length > sizeof(file->buffer))
		length = sizeof(file->buffer);
	return read_piece(file->buffer, mapping, offset, length);
}

static ssize_t to_file_piece(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length)
{
	struct iovec iov;

	if (!dma_spans_iovec(mapping->spans, mapping->span_count, offset, length, false, &iov))
		return -EFAULT; /* another mapping by now */
	return file_call(context, pwritev, iov.iov_base, iov.iov_len);
}

static ssize_t to_file(
	struct soft_iommu *iommu, uint64_t address, struct file_access *file, size_t length)
{
	ssize_t ready = access_memory(iommu, address, length, to_file_prepare, file);

	if (ready < 0)
		return ready;
	if (file->bounced)
		return file_call(file, pwritev, file->buffer, (size_t)ready);
	return access_file(iommu, address, (size_t)ready, to_file_piece, file);
}

static int move_file(struct soft_iommu *iommu, uint64_t address, int fd, uint64_t offset,
	size_t length, ssize_t (*move)(struct soft_iommu *, uint64_t, struct file_access *, size_t))
{
	struct file_access file;

	file.fd = fd;
	file.offset = offset;
	if (wraps(address, length))
		return -EFAULT;
	while (length) {
		ssize_t moved = move(iommu, address, &file, length);

		if (moved < 0)
			return (int)moved;
		file.offset += (uint64_t)moved;
		address += (uint64_t)moved;
		length -= (size_t)moved;
	}
	return 0;
}

int soft_iommu_from_file(
	struct soft_iommu *iommu, uint64_t address, int fd, uint64_t offset, size_t length)
{
	return move_file(iommu, address, fd, offset, length, from_file);
}

int soft_iommu_to_file(
	struct soft_iommu *iommu, uint64_t address, int fd, uint64_t offset, size_t length)
{
	return move_file(iommu, address, fd, offset, length, to_file);
}
