/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/task-memory.h"
#include "iokit/file-maps.h"

#include <stdlib.h>

/*
 * The mapping that a segment uses stands behind the segments, in the same order:
 * drivers have no use for it.
 */
struct held_memory {
	struct iou_file_map **maps;
	struct iouser_task_memory memory;
};

static struct held_memory *held(struct iouser_task_memory *memory)
{
	return (struct held_memory *)((char *)memory - offsetof(struct held_memory, memory));
}

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

void iouser_task_memory_release(struct iouser_peer *peer, struct iouser_task_memory *memory)
{
	struct held_memory *all;

	if (!memory)
		return;
	all = held(memory);
	for (size_t i = 0; all->maps && i < memory->count; i++)
		if (all->maps[i])
			iou_file_maps_put(peer->maps, all->maps[i]);
	free(all->maps);
	free(all);
}

struct iouser_task_memory *iou_task_memory_alloc(size_t count)
{
	struct held_memory *all =
		calloc(1, sizeof(*all) + count * sizeof(all->memory.segments[0]));

	return all ? &all->memory : NULL;
}

static kern_return_t make_room(struct iou_memory_builder *builder, size_t count)
{
	struct held_memory *all = held(builder->memory), *larger;
	size_t needed = builder->memory->count + count;
	struct iou_file_map **maps;

	if (needed > IOU_RANGES_TOTAL_MAX)
		return kIOReturnNoSpace;
	maps = realloc(all->maps, needed * sizeof(*maps));
	if (!maps)
		return kIOReturnNoMemory;
	all->maps = maps;
	larger = realloc(all, sizeof(*all) + needed * sizeof(all->memory.segments[0]));
	if (!larger)
		return kIOReturnNoMemory;
	builder->memory = &larger->memory;
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
	struct iou_file_map **map = &held(memory)->maps[memory->count];
	kern_return_t status;

	if (range->va != builder->next_va || !range->length ||
		range->length > builder->end - builder->next_va)
		return kIOReturnIPCError;
	*segment = (struct iouser_segment){
		.length = range->length,
		.writable = range->writable,
	};
	*map = NULL;
	if (range->fd_index == IOU_RANGE_PRIVATE) {
		if (builder->peer->pid <= 0)
			return kIOReturnNotPermitted;
		segment->pid = builder->peer->pid;
		segment->va = range->va;
	} else {
		if (range->fd_index >= fds->count)
			return kIOReturnIPCError;
		status = iou_file_maps_get(builder->peer->maps, fds->fd[range->fd_index],
			range->fd_offset, range->length, &segment->writable, map, &segment->host);
		if (status != kIOReturnSuccess)
			return status;
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
	iouser_task_memory_release(builder->peer, builder->memory);
	builder->memory = NULL;
}
