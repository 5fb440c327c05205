/* SPDX-License-Identifier: BSD-3-Clause */
/* A device's accesses through its IOMMU: to buffers of ours, and to files. */
#include "provider/soft/mapping.h"
#include "provider/soft/worker.h"

#include <errno.h>
#include <sys/uio.h>

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
	struct mapping *mapping = soft_mapping_pin(iommu, address, &offset, &length);
	ssize_t moved;

	if (!mapping)
		return -EFAULT;
	soft_worker_begin_access();
	moved = access(context, mapping, offset, length);
	soft_mapping_put(mapping);
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
		soft_mapping_put(batch->mappings[--batch->mapping_count]);
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
	mapping = soft_mapping_pin(iommu, address, &offset, &length);
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
