/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections to a driver in the same process: a call is a function call. */
#include "common/dma-span.h"
#include "iokit/completion.h"
#include "iokit/connection.h"
#include "iokit/file-maps.h"
#include "iokit/peer.h"
#include "iokit/service.h"
#include "iokit/task-memory.h"
#include "iokit/vm-region.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct local {
	struct iouser_peer peer;
	struct iou_user_client user;
};

/* The client's memory is this process's own: only check that it is mapped. */
static kern_return_t local_copy_memory(
	struct iouser_peer *peer, uint64_t va, uint64_t size, struct iouser_task_memory **memory)
{
	struct iouser_task_memory *found;
	struct iou_vm_region *regions;
	size_t count;
	kern_return_t status;

	(void)peer;
	status = iou_vm_regions(va, size, &regions, &count);
	if (status != kIOReturnSuccess)
		return status;
	found = iou_task_memory_alloc(count);
	if (!found) {
		free(regions);
		return kIOReturnNoMemory;
	}
	found->count = count;
	for (size_t i = 0; i < count; i++)
		found->spans[i].span = (struct dma_span){
			.length = regions[i].length,
			.host = (void *)(uintptr_t)regions[i].va,
			.writable = regions[i].writable,
		};
	free(regions);
	*memory = found;
	return kIOReturnSuccess;
}

static kern_return_t local_call(
	void *state, struct iouser_arguments *arguments, const struct iou_wake *wake)
{
	struct local *local = state;
	struct iou_port_end *end;
	kern_return_t status;

	if (wake->fd >= 0) {
		int fd = fcntl(wake->fd, F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return kIOReturnNoResources;
		end = iou_port_end_create(fd, NULL);
		if (end)
			arguments->completion = iou_completion_create(end, wake->token, true, NULL);
		iou_port_end_release(end);
		if (!arguments->completion)
			return kIOReturnNoMemory;
	}
	status = iou_user_client_call(&local->user, arguments);
	if (status != kIOReturnSuccess)
		iou_completion_refuse(arguments->completion);
	iouser_completion_release(arguments->completion);
	return status;
}

static kern_return_t local_map(void *state, uint32_t memory_type, struct iouser_memory *memory)
{
	struct local *local = state;
	kern_return_t status =
		local->user.class->copy_client_memory(local->user.client, memory_type, memory);

	if (status != kIOReturnSuccess)
		return status;
	memory->fd = fcntl(memory->fd, F_DUPFD_CLOEXEC, 0);
	if (memory->fd >= 0)
		return kIOReturnSuccess;
	local->user.class->client_unmapped(local->user.client, memory_type);
	return kIOReturnNoResources;
}

static void local_unmapped(void *state, uint32_t memory_type)
{
	struct local *local = state;

	local->user.class->client_unmapped(local->user.client, memory_type);
}

static void local_close(void *state)
{
	struct local *local = state;

	iou_user_client_close(&local->user);
	iou_file_maps_release(local->peer.maps);
	free(local);
}

static const struct iou_transport local_transport = {
	.call = local_call,
	.map = local_map,
	.unmapped = local_unmapped,
	.close = local_close,
};

kern_return_t iou_local_open(uint64_t entry_id, uint32_t type, io_connect_t *connect)
{
	struct local *local = calloc(1, sizeof(*local));
	kern_return_t status;

	if (!local)
		return kIOReturnNoMemory;
	local->peer.pid = getpid();
	local->peer.uid = geteuid();
	local->peer.copy_memory = local_copy_memory;
	local->peer.maps = iou_file_maps_create();
	status = local->peer.maps ?
			 iou_user_client_open(entry_id, type, &local->peer, &local->user) :
			 kIOReturnNoMemory;
	if (status != kIOReturnSuccess) {
		iou_file_maps_release(local->peer.maps);
		free(local);
		return status;
	}
	*connect = iou_connection_create(&local_transport, local);
	return *connect ? kIOReturnSuccess : kIOReturnNoResources;
}
