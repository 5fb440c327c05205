/* SPDX-License-Identifier: BSD-3-Clause */
/* A client's memory, put together from what the client says of it. */
#ifndef IOKIT_TASK_MEMORY_H
#define IOKIT_TASK_MEMORY_H

#include "iokit/peer.h"
#include "iokit/wire.h"

struct iou_memory_builder {
	struct iouser_peer *peer;
	uint64_t begin;
	uint64_t next_va, end; /* what is still missing */
	struct iouser_task_memory *memory;
};

/* Memory with room for @count segments, for iouser_task_memory_release(); NULL without memory. */
struct iouser_task_memory *iou_task_memory_alloc(size_t count);

/* The peer has gone: let go of its address space. */
void iou_peer_memory_release(struct iouser_peer *peer);

/* Memory of more segments than this is refused, as are more replies that tell of it. */
#define IOU_RANGES_TOTAL_MAX 65536

kern_return_t iou_memory_begin(
	struct iou_memory_builder *builder, struct iouser_peer *peer, uint64_t va, uint64_t size);
/*
 * Add the ranges of one reply, which must go on where the last one ended. Takes no
 * descriptor. Adjacent ranges become one segment. kIOReturnIPCError for a reply that does not
 * hold together, and for ranges that are not whole pages but at the ends of the memory;
 * kIOReturnNoSpace past IOU_RANGES_TOTAL_MAX segments; else as iou_file_maps_get().
 */
kern_return_t iou_memory_add(struct iou_memory_builder *builder,
	const struct iou_memory_reply *reply, const struct iou_fds *fds);
/* The memory, if it is all there (else kIOReturnIPCError, and it is let go of). */
kern_return_t iou_memory_finish(
	struct iou_memory_builder *builder, struct iouser_task_memory **memory);
void iou_memory_abandon(struct iou_memory_builder *builder);

#endif
