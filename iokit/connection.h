/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection to a user client, over whichever transport. */
#ifndef IOKIT_CONNECTION_H
#define IOKIT_CONNECTION_H

#include "iokit/object.h"
#include "iokit/port.h"

#include <iokit-user/service.h>
#include <pthread.h>
#include <stdbool.h>

/* One call's arguments, checked against the runtime's limits. */
struct iou_call_args {
	uint32_t selector;
	const uint64_t *input;
	uint32_t input_count;
	const void *input_struct;
	size_t input_struct_size;
	uint64_t *output;
	uint32_t output_count; /* in: room; out: how many */
	void *output_struct;
	size_t output_struct_size; /* in: room; out: how many */
	struct iou_wake wake;
};

/* Memory of the driver's; the descriptor belongs to whoever asked. */
struct iou_map_result {
	int fd;
	uint64_t offset, size;
	uint64_t hole, hole_size; /* pages that are not to be mapped */
	bool read_only;
};

/* What a transport does. The connection's lock is held in all of them but close. */
struct iou_transport {
	kern_return_t (*call)(void *state, struct iou_call_args *args);
	kern_return_t (*map)(void *state, uint32_t memory_type, struct iou_map_result *result);
	void (*unmapped)(void *state, uint32_t memory_type);
	void (*close)(void *state);
};

/*
 * Make a connection of a transport and its state, which belongs to the connection
 * from here on, also on failure. Returns its name, or IO_OBJECT_NULL.
 */
io_connect_t iou_connection_create(const struct iou_transport *transport, void *state);

/* Open a user client in this process (local.c), in another (remote.c). */
kern_return_t iou_local_open(uint64_t entry_id, uint32_t type, io_connect_t *connect);
kern_return_t iou_remote_open(uint64_t entry_id, uint32_t type, io_connect_t *connect);

#endif
