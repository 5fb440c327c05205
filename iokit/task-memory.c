/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/task-memory.h"
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
 * A client's address space, held by a descriptor: it stays that one, whatever process has
 * the number later. Shared by the peer and all segments of its memory.
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

static void segment_put(const struct iouser_segment *segment)
{
	if (segment->runtime && segment->is_private)
		process_memory_put(segment->runtime);
	else if (segment->runtime)
		iou_file_maps_put(segment->runtime);
}

void iouser_task_memory_release(struct iouser_task_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < memory->count; i++)
		segment_put(&memory->segments[i]);
	free(memory);
}

struct iouser_task_memory *iou_task_memory_alloc(size_t count)
{
	struct iouser_task_memory *memory;

	memory = calloc(1, sizeof(*memory) + count * sizeof(memory->segments[0]));
	if (memory)
		memory->segments = (struct iouser_segment *)(memory + 1);
	return memory;
}

static kern_return_t make_room(struct iou_memory_builder *builder, size_t count)
{
	size_t needed = builder->memory->count + count;
	struct iouser_task_memory *larger;

	if (needed > IOU_RANGES_TOTAL_MAX)
		return kIOReturnNoSpace;
	larger = realloc(builder->memory, sizeof(*larger) + needed * sizeof(larger->segments[0]));
	if (!larger)
		return kIOReturnNoMemory;
	larger->segments = (struct iouser_segment *)(larger + 1);
	builder->memory = larger;
	return kIOReturnSuccess;
}

/* Opened while the client waits for the answer to its call. */
static kern_return_t open_memory(struct iouser_peer *peer)
{
	struct iou_process_memory *process;
	struct stat file;
	char path[32];
	int fd;

	if (peer->memory)
		return kIOReturnSuccess;
	if (peer->pid <= 0)
		return kIOReturnNotPermitted; /* of another PID namespace, say */
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

static bool is_at_page(uint64_t va)
{
	return va % (uint64_t)sysconf(_SC_PAGESIZE) == 0;
}

/*
 * Whether a range goes on where the last one ended. Only the first may begin within a page, and
 * only the last end there: so there are not more ranges than pages, and what a range costs here is
 * in proportion to the memory that it is.
 */
static bool is_next(const struct iou_memory_builder *builder, const struct iou_range *range)
{
	return range->va == builder->next_va && range->length &&
	       range->length <= builder->end - builder->next_va &&
	       (range->va == builder->begin || is_at_page(range->va)) &&
	       (range->va + range->length == builder->end || is_at_page(range->va + range->length));
}

/* Say once for each client why memory that others can use is refused. */
static void tell_of_foreign_file(struct iouser_peer *peer)
{
	if (!peer->told_of_foreign_file)
		fprintf(stderr,
			"iokit-user: process %d: memory refused: its file is of a file system that "
			"may not answer (expected: a memfd, or a file on tmpfs, hugetlbfs or a "
			"local disk)\n",
			(int)peer->pid);
	peer->told_of_foreign_file = true;
}

static void make_private(
	struct iouser_segment *segment, struct iou_process_memory *process, uint64_t va)
{
	segment->is_private = true;
	segment->memory_fd = process->fd;
	segment->va = va;
	atomic_fetch_add(&process->references, 1);
	segment->runtime = process;
}

/* What a range is, in this process. */
static kern_return_t make_segment(struct iou_memory_builder *builder, const struct iou_range *range,
	const struct iou_fds *fds, struct iouser_segment *segment)
{
	struct iou_file_map *map;
	kern_return_t status;

	*segment = (struct iouser_segment){
		.length = range->length,
		.writable = range->writable,
	};
	if (range->fd_index == IOU_RANGE_PRIVATE) {
		status = open_memory(builder->peer);
		if (status == kIOReturnSuccess)
			make_private(segment, builder->peer->memory, range->va);
		return status;
	}
	if (range->fd_index >= fds->count)
		return kIOReturnIPCError;
	status = iou_file_maps_get(builder->peer->maps, fds->fd[range->fd_index], range->fd_offset,
		range->length, &segment->writable, &map, &segment->host);
	if (status == kIOReturnNotPermitted)
		tell_of_foreign_file(builder->peer);
	if (status == kIOReturnSuccess)
		segment->runtime = map;
	return status;
}

/* Make the last segment longer where the next one goes on in it; false where it does not. */
static bool extend(struct iou_memory_builder *builder, const struct iouser_segment *next)
{
	struct iouser_task_memory *memory = builder->memory;
	struct iouser_segment *last = memory->count ? &memory->segments[memory->count - 1] : NULL;

	if (!last || last->is_private != next->is_private || last->writable != next->writable ||
		last->runtime != next->runtime)
		return false;
	if (!next->is_private && (char *)last->host + last->length != next->host)
		return false;
	last->length += next->length;
	segment_put(next); /* the last one holds what is behind both */
	return true;
}

static kern_return_t add_range(struct iou_memory_builder *builder, const struct iou_range *range,
	const struct iou_fds *fds)
{
	struct iouser_segment segment;
	kern_return_t status = make_segment(builder, range, fds, &segment);

	if (status == kIOReturnSuccess && !extend(builder, &segment))
		builder->memory->segments[builder->memory->count++] = segment;
	return status;
}

/* Whether a range goes on in the file where another ends. */
static bool goes_on(const struct iou_range *range, const struct iou_range *next)
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
	status = make_room(builder, reply->count);
	for (uint32_t i = 0; i < reply->count && status == kIOReturnSuccess;) {
		struct iou_range range = reply->ranges[i];

		/* Ranges that are adjacent in a file are mapped together. */
		for (;;) {
			const struct iou_range *next = &reply->ranges[i];

			if (!is_next(builder, next))
				return kIOReturnIPCError;
			builder->next_va += next->length;
			if (++i == reply->count || !goes_on(&range, &reply->ranges[i]))
				break;
			range.length += reply->ranges[i].length;
		}
		status = add_range(builder, &range, fds);
	}
	return status;
}

/* Free the room that ranges of one segment did not need. */
static struct iouser_task_memory *fit(struct iouser_task_memory *memory)
{
	struct iouser_task_memory *smaller =
		realloc(memory, sizeof(*memory) + memory->count * sizeof(memory->segments[0]));

	if (!smaller)
		return memory;
	smaller->segments = (struct iouser_segment *)(smaller + 1);
	return smaller;
}

kern_return_t iou_memory_finish(
	struct iou_memory_builder *builder, struct iouser_task_memory **memory)
{
	if (builder->next_va != builder->end) {
		iou_memory_abandon(builder);
		return kIOReturnIPCError;
	}
	*memory = fit(builder->memory);
	return kIOReturnSuccess;
}

void iou_memory_abandon(struct iou_memory_builder *builder)
{
	iouser_task_memory_release(builder->memory);
	builder->memory = NULL;
}
