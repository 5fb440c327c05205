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

static void span_put(const struct dma_span *span, void *owner)
{
	if (owner && span->is_private)
		process_memory_put(owner);
	else if (owner)
		iou_file_maps_put(owner);
}

void iouser_task_memory_release(struct iouser_task_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < memory->count; i++)
		span_put(&memory->spans[i], memory->owners[i]);
	free(memory->spans);
	free(memory->owners);
	free(memory);
}

/* Resize both arrays to @count; on failure they stay valid for the spans they have. */
static bool set_room(struct iouser_task_memory *memory, size_t count)
{
	struct dma_span *spans = reallocarray(memory->spans, count, sizeof(*spans));
	void **owners;

	if (!spans)
		return false;
	memory->spans = spans;
	owners = reallocarray(memory->owners, count, sizeof(*owners));
	if (!owners)
		return false;
	memory->owners = owners;
	return true;
}

struct iouser_task_memory *iou_task_memory_alloc(size_t count)
{
	struct iouser_task_memory *memory = calloc(1, sizeof(*memory));

	if (!memory || !count)
		return memory;
	memory->spans = calloc(count, sizeof(*memory->spans));
	memory->owners = calloc(count, sizeof(*memory->owners));
	if (memory->spans && memory->owners)
		return memory;
	iouser_task_memory_release(memory);
	return NULL;
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

/* Make one range accessible in this process. *@owner holds what is behind the span. */
static kern_return_t make_span(struct iou_memory_builder *builder, const struct iou_range *range,
	const struct iou_fds *fds, struct dma_span *span, void **owner)
{
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
		*owner = process;
		return kIOReturnSuccess;
	}
	if (range->fd_index >= fds->count)
		return kIOReturnIPCError;
	status = iou_file_maps_get(builder->peer->maps, fds->fd[range->fd_index], range->fd_offset,
		range->length, &span->writable, &map, &span->host);
	if (status == kIOReturnNotPermitted)
		report_foreign_file(builder->peer);
	if (status == kIOReturnSuccess)
		*owner = map;
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
	span = &found->spans[0];
	*span = (struct dma_span){ .length = size, .writable = writable };
	status =
		iou_file_maps_get(peer->maps, fd, offset, size, &span->writable, &map, &span->host);
	if (status == kIOReturnNotPermitted)
		report_foreign_file(peer);
	if (status == kIOReturnSuccess) {
		found->owners[0] = map;
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

/* Append a span, or lengthen the last one where the new one is its continuation. */
static kern_return_t add_range(struct iou_memory_builder *builder, const struct iou_range *range,
	const struct iou_fds *fds)
{
	struct iouser_task_memory *memory = builder->memory;
	struct dma_span *last = memory->count ? &memory->spans[memory->count - 1] : NULL;
	struct dma_span span;
	void *owner;
	kern_return_t status = make_span(builder, range, fds, &span, &owner);

	if (status != kIOReturnSuccess)
		return status;
	if (last && last->is_private == span.is_private && last->writable == span.writable &&
		memory->owners[memory->count - 1] == owner &&
		(span.is_private || (char *)last->host + last->length == span.host)) {
		last->length += span.length;
		span_put(&span, owner); /* the last span has a reference already */
		return kIOReturnSuccess;
	}
	memory->owners[memory->count] = owner;
	memory->spans[memory->count++] = span;
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
	kern_return_t status;

	if (!reply->count || reply->count > IOU_RANGES_MAX ||
		reply->header.size != sizeof(*reply) + reply->count * sizeof(reply->ranges[0]))
		return kIOReturnIPCError;
	if (reply->count > IOU_RANGES_TOTAL_MAX - builder->memory->count)
		return kIOReturnNoSpace;
	status = set_room(builder->memory, builder->memory->count + reply->count) ?
			 kIOReturnSuccess :
			 kIOReturnNoMemory;
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
	if (builder->next_va != builder->end) {
		iou_memory_abandon(builder);
		return kIOReturnIPCError;
	}
	set_room(builder->memory, builder->memory->count); /* ranges may have been joined */
	*memory = builder->memory;
	return kIOReturnSuccess;
}

void iou_memory_abandon(struct iou_memory_builder *builder)
{
	iouser_task_memory_release(builder->memory);
	builder->memory = NULL;
}
