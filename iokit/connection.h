/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection to a user client, independent of its transport. */
#ifndef IOKIT_CONNECTION_H
#define IOKIT_CONNECTION_H

#include "iokit/object.h"
#include "iokit/port.h"

#include <iokit-user/service.h>
#include <pthread.h>
#include <stdbool.h>

/*
 * The operations of a transport. The connection's lock is held in all of them but close.
 * Ownership of the descriptor in *@memory passes to the caller of map.
 */
struct iou_transport {
	kern_return_t (*call)(
		void *state, struct iouser_arguments *arguments, const struct iou_wake *wake);
	kern_return_t (*map)(void *state, uint32_t memory_type, struct iouser_memory *memory);
	void (*unmapped)(void *state, uint32_t memory_type);
	void (*close)(void *state);
};

/*
 * Create a connection. Ownership of @state passes to this function, also on failure. Returns the
 * name of the connection, or IO_OBJECT_NULL.
 */
io_connect_t iou_connection_create(const struct iou_transport *transport, void *state);

/* Open a user client of a service in this process (local.c) or of the driver service (remote.c). */
kern_return_t iou_local_open(uint64_t entry_id, uint32_t type, io_connect_t *connect);
kern_return_t iou_remote_open(uint64_t entry_id, uint32_t type, io_connect_t *connect);

#endif
