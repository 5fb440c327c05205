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
	/* The tree holds one, each access in progress one; the last one frees it. */
	atomic_uint references;
	struct dma_owner *owner;  /* of the memory, referenced; or NULL */
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
	/*
	 * Guards what follows. It is a leaf, and is not held during an access to memory:
	 * an access holds a reference to its mapping instead.
	 */
	pthread_rwlock_t lock;
	struct mapping_tree tree;
	struct dma_limits limits; /* kind, bytes and maps are constant */
	uint64_t next;		  /* where the search for a free address begins */
};

/* Addresses of an identity IOMMU's choice: a window that clients are unlikely to use. */
#define IDENTITY_WINDOW_BEGIN (UINT64_C(1) << 46)
#define IDENTITY_WINDOW_END   (UINT64_C(1) << 47)
/* A DART's window: 64 times what can be mapped at a time by default. */
#define DART_WINDOW_BEGIN (UINT64_C(1) << 32)
#define DART_WINDOW_END	  (UINT64_C(1) << 38)

static bool is_dart(const struct soft_iommu *iommu)
{
	return iommu->limits.kind == DEXT_IOMMU_DART;
}

struct soft_iommu *soft_iommu_create(const struct dma_limits *limits)
{
	struct soft_iommu *iommu = calloc(1, sizeof(*iommu));
	pthread_rwlockattr_t attributes;

	if (!iommu)
		return NULL;
	iommu->limits = (struct dma_limits){
		.kind = limits->kind, .bytes = limits->bytes, .maps = limits->maps
	};
	iommu->next = is_dart(iommu) ? DART_WINDOW_BEGIN : IDENTITY_WINDOW_BEGIN;
	RB_INIT(&iommu->tree);
	/* Otherwise a device that is always busy could starve an unmap. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&iommu->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	return iommu;
}

/* Release a reference. */
static void put(struct mapping *mapping)
{
	if (atomic_fetch_sub(&mapping->references, 1) != 1)
		return;
	dma_owner_put(mapping->owner);
	free(mapping);
}

/*
 * Release the reference of the tree, which no longer contains the mapping, once the accesses
 * in progress have ended or SOFT_STALL_MS have passed. It polls: unmaps that meet an access
 * are rare, and an access takes microseconds.
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
 * Find a free, aligned range of the window, first after the one found last, then from the
 * beginning. Return: false when there is none.
 */
static bool find_free(
	struct soft_iommu *iommu, uint64_t length, uint64_t alignment, uint64_t *address)
{
	uint64_t begin = is_dart(iommu) ? DART_WINDOW_BEGIN : IDENTITY_WINDOW_BEGIN;
	uint64_t end = is_dart(iommu) ? DART_WINDOW_END : IDENTITY_WINDOW_END;
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

/* The bytes of a mapping that count against the limit: with a DART, whole pages. */
static uint64_t bytes_charged(const struct soft_iommu *iommu, const struct mapping *mapping)
{
	if (!is_dart(iommu))
		return mapping->length;
	return align_up(mapping->address % SOFT_DART_PAGE + mapping->length, SOFT_DART_PAGE);
}

/* A DART maps whole pages; the offset in the first page is that of the memory. */
static kern_return_t place_dart(
	struct soft_iommu *iommu, const struct dma_request *request, struct mapping *mapping)
{
	const struct dma_span *first = &request->spans[0];
	uint64_t va = first->is_private ? first->va : (uintptr_t)first->host;
	uint64_t offset = va % SOFT_DART_PAGE, page;
	uint64_t alignment =
		request->alignment > SOFT_DART_PAGE ? request->alignment : SOFT_DART_PAGE;
	uint64_t size = align_up(offset + request->length, SOFT_DART_PAGE);

	if (iommu->limits.maps_used >= iommu->limits.maps || size > iommu->limits.bytes ||
		iommu->limits.bytes_used > iommu->limits.bytes - size)
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
	status = is_dart(iommu) ? place_dart(iommu, request, mapping) :
				  place_identity(iommu, request, mapping);
	if (status == kIOReturnSuccess) {
		RB_INSERT(mapping_tree, &iommu->tree, mapping);
		iommu->limits.maps_used++;
		iommu->limits.bytes_used += bytes_charged(iommu, mapping);
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
		iommu->limits.maps_used--;
		iommu->limits.bytes_used -= bytes_charged(iommu, mapping);
	} else {
		mapping = NULL;
	}
	pthread_rwlock_unlock(&iommu->lock);
	if (mapping)
		retire(mapping);
}

void soft_iommu_get_limits(struct soft_iommu *iommu, struct dma_limits *limits)
{
	pthread_rwlock_rdlock(&iommu->lock);
	*limits = iommu->limits;
	pthread_rwlock_unlock(&iommu->lock);
}

/*
 * The mapping that contains @address, referenced until put(); NULL when there is none.
 * @offset: set to the offset of @address in it; @length: cut at its end.
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
 * Accesses up to @length bytes at @offset of a mapping. Returns the number of bytes accessed,
 * which may be fewer, or a negative errno.
 */
typedef ssize_t (*piece_function)(
	void *context, const struct mapping *mapping, uint64_t offset, size_t length);

/*
 * Call @access for the part of the range in the mapping of @address. It may stall for ever: no
 * lock is held, and until soft_worker_end_access() only the mapping is used, since the IOMMU may
 * have been freed.
 */
static ssize_t access_mapping(struct soft_iommu *iommu, uint64_t address, size_t length,
	piece_function access, void *context)
{
	uint64_t offset;
	struct mapping *mapping = pin(iommu, address, &offset, &length);
	ssize_t moved;

	if (!mapping)
		return -EFAULT;
	soft_worker_begin_access();
	moved = access(context, mapping, offset, length);
	put(mapping);
	soft_worker_end_access();
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
		ssize_t moved = access_mapping(iommu, address, length, access, buffer);

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
	/* write_piece() does not write to the buffer. */
	return move_all(iommu, address, (char *)(uintptr_t)buffer, length, write_piece);
}

/* A file, and the bounce buffer for memory that is not mapped in this process. */
struct file_access {
	int fd;
	uint64_t offset;
	int flags; /* RWF_* */
	char buffer[16384];
};

typedef ssize_t (*vector_call)(int fd, const struct iovec *iov, int count, off_t offset, int flags);

/* One system call. Returns the bytes moved or a negative errno. */
static ssize_t file_call(
	const struct file_access *file, vector_call call, const struct iovec *iov, int count)
{
	ssize_t moved;

	do
		moved = call(file->fd, iov, count, (off_t)file->offset, file->flags);
	while (moved < 0 && errno == EINTR);
	if (moved < 0)
		return -errno;
	return moved ? moved : -EIO; /* the file ends here */
}

static ssize_t buffer_call(struct file_access *file, vector_call call, size_t length)
{
	const struct iovec iov = { file->buffer, length };

	return file_call(file, call, &iov, 1);
}

/* What is left of a list of segments: @done bytes of the first one are moved. */
struct remainder {
	const struct dma_segment *segments;
	size_t count;
	uint64_t done;
};

static uint64_t next_address(const struct remainder *rest)
{
	return rest->segments->bus_address + rest->done;
}

static size_t next_length(const struct remainder *rest)
{
	return (size_t)(rest->segments->length - rest->done);
}

static void advance(struct remainder *rest, size_t moved)
{
	rest->done += moved;
	while (rest->count && rest->done >= rest->segments->length) {
		rest->done -= rest->segments->length;
		rest->segments++;
		rest->count--;
	}
}

/* The memory that one system call moves, and the mappings that it is in, referenced. */
#define BATCH_MAX 128
struct batch {
	struct iovec iov[BATCH_MAX];
	struct mapping *mappings[BATCH_MAX];
	int count, mapping_count;
};

static void batch_release(struct batch *batch)
{
	while (batch->mapping_count)
		put(batch->mappings[--batch->mapping_count]);
}

/* The mapping of the next byte, or NULL: most often it is that of the byte before. */
static struct mapping *batch_mapping(
	struct soft_iommu *iommu, const struct remainder *rest, struct batch *batch)
{
	struct mapping *mapping =
		batch->mapping_count ? batch->mappings[batch->mapping_count - 1] : NULL;
	uint64_t address = next_address(rest), offset;
	size_t length = 1;

	if (mapping && address >= mapping->address && address - mapping->address < mapping->length)
		return mapping;
	mapping = pin(iommu, address, &offset, &length);
	if (mapping)
		batch->mappings[batch->mapping_count++] = mapping;
	return mapping;
}

/*
 * Collect memory that is mapped in this process, up to the first byte that is not. An empty
 * batch: that is the next one. Return: 0, or -EFAULT when the next byte has no mapping.
 */
static int batch_collect(
	struct soft_iommu *iommu, struct remainder rest, bool writable, struct batch *batch)
{
	batch->count = batch->mapping_count = 0;
	while (rest.count && batch->count < BATCH_MAX) {
		struct mapping *mapping = batch_mapping(iommu, &rest, batch);
		struct iovec *iov = &batch->iov[batch->count];

		if (!mapping)
			return batch->count ? 0 : -EFAULT;
		uint64_t offset = next_address(&rest) - mapping->address;
		uint64_t left = mapping->length - offset;
		size_t length = next_length(&rest) < left ? next_length(&rest) : (size_t)left;

		if (!dma_spans_iovec(
			    mapping->spans, mapping->span_count, offset, length, writable, iov))
			return 0;
		batch->count++;
		advance(&rest, iov->iov_len);
	}
	return 0;
}

/* By the buffer: what the next segment has of it. */
static ssize_t bounce_from_file(
	struct soft_iommu *iommu, const struct remainder *rest, struct file_access *file)
{
	size_t length = next_length(rest);
	ssize_t moved = buffer_call(
		file, preadv2, length < sizeof(file->buffer) ? length : sizeof(file->buffer));

	if (moved > 0 &&
		!move_all(iommu, next_address(rest), file->buffer, (size_t)moved, write_piece))
		return -EFAULT;
	return moved;
}

/*
 * The system call may stall for ever in a client's memory: no lock is held, and until
 * soft_worker_end_access() only the mappings are used.
 */
static ssize_t from_file(
	struct soft_iommu *iommu, const struct remainder *rest, struct file_access *file)
{
	struct batch batch;
	ssize_t moved = batch_collect(iommu, *rest, true, &batch);

	if (moved < 0)
		return moved;
	if (batch.count == 0) {
		batch_release(&batch);
		return bounce_from_file(iommu, rest, file);
	}
	soft_worker_begin_access();
	moved = file_call(file, preadv2, batch.iov, batch.count);
	batch_release(&batch);
	soft_worker_end_access();
	return moved;
}

static ssize_t bounce_to_file(
	struct soft_iommu *iommu, const struct remainder *rest, struct file_access *file)
{
	size_t length = next_length(rest);
	ssize_t ready;

	if (length > sizeof(file->buffer))
		length = sizeof(file->buffer);
	ready = access_mapping(iommu, next_address(rest), length, read_piece, file->buffer);
	return ready < 0 ? ready : buffer_call(file, pwritev2, (size_t)ready);
}

/*
 * Everything that can stall comes before the write to the file: memory that is mapped is touched
 * once a page, other memory is copied. A stalled pwritev2() would keep the file locked, and
 * could write to it long after a reset. For the same reason it must not be abandoned.
 */
static ssize_t to_file(
	struct soft_iommu *iommu, const struct remainder *rest, struct file_access *file)
{
	struct batch batch;
	bool there = true;
	ssize_t moved = batch_collect(iommu, *rest, false, &batch);

	if (moved < 0)
		return moved;
	if (batch.count == 0) {
		batch_release(&batch);
		return bounce_to_file(iommu, rest, file);
	}
	soft_worker_begin_access();
	for (int i = 0; i < batch.count && there; i++)
		there = dma_touch(batch.iov[i].iov_base, batch.iov[i].iov_len);
	batch_release(&batch);
	soft_worker_end_access();
	if (!there || batch_collect(iommu, *rest, false, &batch) < 0)
		return -EFAULT;
	/* Without memory that is mapped here: it has been replaced since it was touched. */
	moved = batch.count ? file_call(file, pwritev2, batch.iov, batch.count) : -EFAULT;
	batch_release(&batch);
	return moved;
}

static int move_file(struct soft_iommu *iommu, struct remainder rest, struct file_access *file,
	ssize_t (*move)(struct soft_iommu *, const struct remainder *, struct file_access *))
{
	for (size_t i = 0; i < rest.count; i++)
		if (wraps(rest.segments[i].bus_address, rest.segments[i].length))
			return -EFAULT;
	advance(&rest, 0);
	while (rest.count) {
		ssize_t moved = move(iommu, &rest, file);

		if (moved < 0)
			return (int)moved;
		file->offset += (uint64_t)moved;
		advance(&rest, (size_t)moved);
	}
	return 0;
}

int soft_iommu_from_file(struct soft_iommu *iommu, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset, bool may_wait)
{
	struct file_access file;

	file.fd = fd;
	file.offset = offset;
	file.flags = may_wait ? 0 : RWF_NOWAIT;
	return move_file(iommu, (struct remainder){ segments, count, 0 }, &file, from_file);
}

int soft_iommu_to_file(struct soft_iommu *iommu, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset)
{
	struct file_access file;

	file.fd = fd;
	file.offset = offset;
	file.flags = 0;
	return move_file(iommu, (struct remainder){ segments, count, 0 }, &file, to_file);
}
