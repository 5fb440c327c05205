/* SPDX-License-Identifier: BSD-3-Clause */
/* The client of a user client, on the driver's side. */
#ifndef IOKIT_PEER_H
#define IOKIT_PEER_H

#include <iokit-user/service.h>

struct iou_file_maps;
struct iou_process_memory;

struct iouser_peer {
	pid_t pid;
	uid_t uid; /* (uid_t)-1 when unknown */
	/* Its address space, once a call has used private memory; else NULL. */
	struct iou_process_memory *memory;
	/*
	 * Get access to the client's memory: through the maps of this process, or by a query to
	 * the client. Called by the thread that executes the client's call.
	 */
	kern_return_t (*copy_memory)(struct iouser_peer *peer, uint64_t va, uint64_t size,
		struct iouser_task_memory **memory);
	bool foreign_file_reported;
	struct iou_file_maps *maps; /* mappings of the client's files */
};

#endif
