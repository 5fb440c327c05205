/* SPDX-License-Identifier: BSD-3-Clause */
/* A client's memory, built from the client's replies to a MEMORY query. */
#ifndef IOKIT_TASK_MEMORY_H
#define IOKIT_TASK_MEMORY_H

#include "common/dma-span.h"
#include "iokit/peer.h"
#include "iokit/wire.h"

struct iou_memory_span {
	struct dma_span span;
	void *owner; /* a struct iou_file_map or, if is_private, a struct iou_process_memory */
};

struct iouser_task_memory {
	size_t count;
	struct iou_memory_span spans[]; /* in order of address */
};

struct iou_memory_builder {
	struct iouser_peer *peer;
	uint64_t begin;
	uint64_t next_va, end; /* the range that is still missing */
	struct iouser_task_memory *memory;
};

/* Memory with room for @count spans, and none yet, for iouser_task_memory_release(); NULL without memory. */
struct iouser_task_memory *iou_task_memory_alloc(size_t count);

/* The peer has disconnected: release its address space. */
void iou_peer_memory_release(struct iouser_peer *peer);

/* The maximum number of spans, and of replies to a query. */
#define IOU_RANGES_TOTAL_MAX 65536

kern_return_t iou_memory_begin(
	struct iou_memory_builder *builder, struct iouser_peer *peer, uint64_t va, uint64_t size);
/*
 * Add the ranges of one reply, which must be adjacent to those of the last one. The caller keeps
 * the descriptors. Adjacent ranges become one span. kIOReturnIPCError for an inconsistent reply,
 * and for ranges that are not whole pages except at the ends of the memory; kIOReturnNoSpace past
 * IOU_RANGES_TOTAL_MAX spans; else as iou_file_maps_get().
 */
kern_return_t iou_memory_add(struct iou_memory_builder *builder,
	const struct iou_memory_reply *reply, const struct iou_fds *fds);
/* Return the memory if it is complete, else release it: kIOReturnIPCError. */
kern_return_t iou_memory_finish(
	struct iou_memory_builder *builder, struct iouser_task_memory **memory);
void iou_memory_abandon(struct iou_memory_builder *builder);

#endif
