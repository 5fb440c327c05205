/* SPDX-License-Identifier: BSD-3-Clause */
/* The client behind a user client, as the driver's side of the runtime sees it. */
#ifndef IOKIT_PEER_H
#define IOKIT_PEER_H

#include <iokit-user/service.h>

struct iou_file_maps;
struct iou_process_memory;

struct iouser_peer {
	pid_t pid;
	uid_t uid; /* (uid_t)-1 when unknown */
	/* Its address space, once private memory has been asked for; else NULL. */
	struct iou_process_memory *memory;
	/*
	 * Find the client's memory out: through the process's own maps, or by asking
	 * the client. Called by the thread that carries out the client's call.
	 */
	kern_return_t (*copy_memory)(struct iouser_peer *peer, uint64_t va, uint64_t size,
		struct iouser_task_memory **memory);
	bool foreign_file_reported;
	struct iou_file_maps *maps; /* files mapped on the client's behalf; NULL in-process */
};

#endif
