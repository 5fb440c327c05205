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
	int fd;		/* /proc/PID/mem */
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

void iouser_task_memory_release(struct iouser_task_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < memory->count; i++) {
		struct iouser_segment *segment = &memory->segments[i];

		if (segment->runtime && segment->is_private)
			process_memory_put(segment->runtime);
		else if (segment->runtime)
			iou_file_maps_put(segment->runtime);
	}
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
	larger = realloc(builder->memory,
		sizeof(*larger) + needed * sizeof(larger->segments[0]));
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
		return kIOReturnNotPermitted;	/* of another PID namespace, say */
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
	builder->next_va = va;
	builder->end = va + size;
	builder->memory = iou_task_memory_alloc(0);
	return builder->memory ? kIOReturnSuccess : kIOReturnNoMemory;
}

static kern_return_t add_range(struct iou_memory_builder *builder, const struct iou_range *range,
	const struct iou_fds *fds)
{
	struct iouser_task_memory *memory = builder->memory;
	struct iouser_segment *segment = &memory->segments[memory->count];
	struct iou_file_map *map;
	kern_return_t status;

	if (range->va != builder->next_va || !range->length ||
		range->length > builder->end - builder->next_va)
		return kIOReturnIPCError;
	*segment = (struct iouser_segment){
		.length = range->length,
		.writable = range->writable,
	};
	if (range->fd_index == IOU_RANGE_PRIVATE) {
		status = open_memory(builder->peer);
		if (status != kIOReturnSuccess)
			return status;
		segment->is_private = true;
		segment->memory_fd = builder->peer->memory->fd;
		segment->runtime = builder->peer->memory;
		atomic_fetch_add(&builder->peer->memory->references, 1);
		segment->va = range->va;
	} else {
		if (range->fd_index >= fds->count)
			return kIOReturnIPCError;
		status = iou_file_maps_get(builder->peer->maps, fds->fd[range->fd_index],
			range->fd_offset, range->length, &segment->writable, &map,
			&segment->host);
		if (status != kIOReturnSuccess)
			return status;
		segment->runtime = map;
	}
	memory->count++;
	builder->next_va += range->length;
	return kIOReturnSuccess;
}

kern_return_t iou_memory_add(struct iou_memory_builder *builder,
	const struct iou_memory_reply *reply, const struct iou_fds *fds)
{
	kern_return_t status;

	if (!reply->count || reply->count > IOU_RANGES_MAX ||
		reply->header.size != sizeof(*reply) + reply->count * sizeof(reply->ranges[0]))
		return kIOReturnIPCError;
	status = make_room(builder, reply->count);
	for (uint32_t i = 0; i < reply->count && status == kIOReturnSuccess; i++)
		status = add_range(builder, &reply->ranges[i], fds);
	return status;
}

kern_return_t iou_memory_finish(
	struct iou_memory_builder *builder, struct iouser_task_memory **memory)
{
	if (builder->next_va != builder->end) {
		iou_memory_abandon(builder);
		return kIOReturnIPCError;
	}
	*memory = builder->memory;
	return kIOReturnSuccess;
}

void iou_memory_abandon(struct iou_memory_builder *builder)
{
	iouser_task_memory_release(builder->memory);
	builder->memory = NULL;
}
