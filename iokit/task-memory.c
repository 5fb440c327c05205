/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/task-memory.h"
#include "common/dma-span.h"
#include "iokit/file-maps.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

kern_return_t iouser_copy_task_memory(
	struct iouser_peer *peer, uint64_t va, uint64_t size, struct iouser_task_memory **memory)
{
	uint64_t end;

	if (!size || __builtin_add_overflow(va, size, &end))
		return kIOReturnBadArgument;
	return peer->copy_memory(peer, va, size, memory);
}

pid_t iouser_peer_pid(const struct iouser_peer *peer)
{
	return peer->pid;
}

bool iouser_peer_is_privileged(const struct iouser_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

/*
 * A client's address space. The descriptor refers to the same process even if its PID is reused.
 * Shared by the peer and the spans of its private memory.
 */
struct iou_process_memory {
	atomic_uint references;
	int fd; /* /proc/PID/mem */
};

static void process_memory_put(struct iou_process_memory *process)
{
	if (!process || atomic_fetch_sub(&process->references, 1) != 1)
		return;
	close(process->fd);
	free(process);
}

void iou_peer_memory_release(struct iouser_peer *peer)
{
	process_memory_put(peer->memory);
	peer->memory = NULL;
}

static void span_put(const struct iou_memory_span *span)
{
	if (span->owner && span->span.is_private)
		process_memory_put(span->owner);
	else if (span->owner)
		iou_file_maps_put(span->owner);
}

size_t iouser_task_memory_count(const struct iouser_task_memory *memory)
{
	return memory->count;
}

const struct dma_span *iouser_task_memory_span(
	const struct iouser_task_memory *memory, size_t index)
{
	return &memory->spans[index].span;
}

void iouser_task_memory_release(struct iouser_task_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < memory->count; i++)
		span_put(&memory->spans[i]);
	free(memory);
}

/* @count spans fit into the size of an allocation: there are at most IOU_RANGES_TOTAL_MAX. */
static size_t size_for(size_t count)
{
	return sizeof(struct iouser_task_memory) + count * sizeof(struct iou_memory_span);
}

struct iouser_task_memory *iou_task_memory_alloc(size_t count)
{
	return calloc(1, size_for(count));
}

/* Called during a call of the client, so that the PID is still its own. */
static kern_return_t open_memory(struct iouser_peer *peer)
{
	struct iou_process_memory *process;
	struct stat file;
	char path[32];
	int fd;

	if (peer->memory)
		return kIOReturnSuccess;
	if (peer->pid <= 0)
		return kIOReturnNotPermitted; /* in another PID namespace */
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)peer->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return kIOReturnNotPermitted;
	if (fstat(fd, &file) != 0 || file.st_uid != peer->uid) {
		close(fd);
		return kIOReturnNotPermitted;
	}
	process = malloc(sizeof(*process));
	if (!process) {
		close(fd);
		return kIOReturnNoMemory;
	}
	atomic_init(&process->references, 1);
	process->fd = fd;
	peer->memory = process;
	return kIOReturnSuccess;
}

kern_return_t iou_memory_begin(
	struct iou_memory_builder *builder, struct iouser_peer *peer, uint64_t va, uint64_t size)
{
	builder->peer = peer;
	builder->begin = va;
	builder->next_va = va;
	builder->end = va + size;
	builder->memory = iou_task_memory_alloc(0);
	return builder->memory ? kIOReturnSuccess : kIOReturnNoMemory;
}

static bool is_page_aligned(uint64_t va)
{
	return va % (uint64_t)sysconf(_SC_PAGESIZE) == 0;
}

/*
 * Whether a range is adjacent to the last one. Only the first may begin, and only the last may end,
 * within a page. So there are no more ranges than pages, and the cost of the ranges is
 * proportional to the size of the memory.
 */
static bool is_next(const struct iou_memory_builder *builder, const struct iou_range *range)
{
	return range->va == builder->next_va && range->length &&
	       range->length <= builder->end - builder->next_va &&
	       (range->va == builder->begin || is_page_aligned(range->va)) &&
	       (range->va + range->length == builder->end ||
		       is_page_aligned(range->va + range->length));
}

/* Report, once for each client, that memory was refused for its file system. */
static void report_foreign_file(struct iouser_peer *peer)
{
	if (!peer->foreign_file_reported)
		fprintf(stderr,
			"iokit-user: process %d: memory refused: its file is of a file system that "
			"may not answer (expected: a memfd, or a file on tmpfs, hugetlbfs or a "
			"local disk)\n",
			(int)peer->pid);
	peer->foreign_file_reported = true;
}

/* Make one range accessible in this process. */
static kern_return_t make_span(struct iou_memory_builder *builder, const struct iou_range *range,
	const struct iou_fds *fds, struct iou_memory_span *made)
{
	struct dma_span *span = &made->span;
	struct iou_file_map *map;
	kern_return_t status;

	*span = (struct dma_span){ .length = range->length, .writable = range->writable };
	if (range->fd_index == IOU_RANGE_PRIVATE) {
		struct iou_process_memory *process;

		status = open_memory(builder->peer);
		if (status != kIOReturnSuccess)
			return status;
		process = builder->peer->memory;
		atomic_fetch_add(&process->references, 1);
		span->is_private = true;
		span->memory_fd = process->fd;
		span->va = range->va;
		made->owner = process;
		return kIOReturnSuccess;
	}
	if (range->fd_index >= fds->count)
		return kIOReturnIPCError;
	status = iou_file_maps_get(builder->peer->maps, fds->fd[range->fd_index], range->fd_offset,
		range->length, &span->writable, &map, &span->host);
	if (status == kIOReturnNotPermitted)
		report_foreign_file(builder->peer);
	if (status == kIOReturnSuccess)
		made->owner = map;
	return status;
}

kern_return_t iouser_copy_file_memory(struct iouser_peer *peer, int fd, uint64_t offset,
	uint64_t size, bool writable, struct iouser_task_memory **memory)
{
	struct iouser_task_memory *found = iou_task_memory_alloc(1);
	struct iou_file_map *map;
	struct dma_span *span;
	kern_return_t status;

	if (!found)
		return kIOReturnNoMemory;
	span = &found->spans[0].span;
	*span = (struct dma_span){ .length = size, .writable = writable };
	status =
		iou_file_maps_get(peer->maps, fd, offset, size, &span->writable, &map, &span->host);
	if (status == kIOReturnNotPermitted)
		report_foreign_file(peer);
	if (status == kIOReturnSuccess) {
		found->spans[0].owner = map;
		found->count = 1;
		if (writable && !span->writable)
			status = kIOReturnNotPermitted;
	}
	if (status != kIOReturnSuccess) {
		iouser_task_memory_release(found);
		return status;
	}
	*memory = found;
	return kIOReturnSuccess;
}

static bool continues(const struct iou_memory_span *last, const struct iou_memory_span *next)
{
	return last->owner == next->owner && last->span.is_private == next->span.is_private &&
	       last->span.writable == next->span.writable &&
	       (next->span.is_private ||
		       (char *)last->span.host + last->span.length == next->span.host);
}

/* Append a span, or lengthen the last one where the new one is its continuation. */
static kern_return_t add_range(struct iou_memory_builder *builder, const struct iou_range *range,
	const struct iou_fds *fds)
{
	struct iouser_task_memory *memory = builder->memory;
	struct iou_memory_span *last = memory->count ? &memory->spans[memory->count - 1] : NULL;
	struct iou_memory_span made;
	kern_return_t status = make_span(builder, range, fds, &made);

	if (status != kIOReturnSuccess)
		return status;
	if (last && continues(last, &made)) {
		last->span.length += made.span.length;
		span_put(&made); /* the last span has a reference already */
		return kIOReturnSuccess;
	}
	memory->spans[memory->count++] = made;
	return kIOReturnSuccess;
}

/* Whether a range is adjacent to another in the same file. */
static bool is_adjacent_in_file(const struct iou_range *range, const struct iou_range *next)
{
	return range->fd_index != IOU_RANGE_PRIVATE && next->fd_index == range->fd_index &&
	       next->writable == range->writable &&
	       next->fd_offset == range->fd_offset + range->length;
}

kern_return_t iou_memory_add(struct iou_memory_builder *builder,
	const struct iou_memory_reply *reply, const struct iou_fds *fds)
{
	struct iouser_task_memory *grown;
	kern_return_t status = kIOReturnSuccess;

	if (!reply->count || reply->count > IOU_RANGES_MAX ||
		reply->header.size != sizeof(*reply) + reply->count * sizeof(reply->ranges[0]))
		return kIOReturnIPCError;
	if (reply->count > IOU_RANGES_TOTAL_MAX - builder->memory->count)
		return kIOReturnNoSpace;
	grown = realloc(builder->memory, size_for(builder->memory->count + reply->count));
	if (!grown)
		return kIOReturnNoMemory;
	builder->memory = grown;
	for (uint32_t i = 0; i < reply->count && status == kIOReturnSuccess;) {
		struct iou_range range = reply->ranges[i];

		/* Ranges that are adjacent in a file are mapped together. */
		for (;;) {
			const struct iou_range *next = &reply->ranges[i];

			if (!is_next(builder, next))
				return kIOReturnIPCError;
			builder->next_va += next->length;
			if (++i == reply->count || !is_adjacent_in_file(&range, &reply->ranges[i]))
				break;
			range.length += reply->ranges[i].length;
		}
		status = add_range(builder, &range, fds);
	}
	return status;
}

kern_return_t iou_memory_finish(
	struct iou_memory_builder *builder, struct iouser_task_memory **memory)
{
	struct iouser_task_memory *shrunk;

	if (builder->next_va != builder->end) {
		iou_memory_abandon(builder);
		return kIOReturnIPCError;
	}
	/* Ranges may have been joined. */
	shrunk = realloc(builder->memory, size_for(builder->memory->count));
	*memory = shrunk ? shrunk : builder->memory;
	return kIOReturnSuccess;
}

void iou_memory_abandon(struct iou_memory_builder *builder)
{
	iouser_task_memory_release(builder->memory);
	builder->memory = NULL;
}
