/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notification ports. A port is a socket pair. Its sending end is passed to the driver with each
 * asynchronous call; an event from the receiving end is matched to its call by a token.
 */
#ifndef IOKIT_PORT_H
#define IOKIT_PORT_H

#include "iokit/object.h"

#include <stdbool.h>
#include <stddef.h>

/* The destination of the completion of an asynchronous call. */
struct iou_wake {
	int fd; /* the sending end, owned by the port; -1: the call is synchronous */
	uint64_t token;
};

/*
 * Outstanding calls of one port. A driver sends one event for each, without blocking. This many
 * events fit the socket's buffer, so that none is lost.
 */
#define IOU_OUTSTANDING_MAX 128

/*
 * Record an outstanding call with a copy of @reference. Sets *@port, with a reference for
 * iou_port_release(), and *@wake. kIOReturnBadArgument when @name is not a port;
 * kIOReturnNoResources past IOU_OUTSTANDING_MAX; kIOReturnIPCError when the port's socket has been
 * shut down; kIOReturnNoMemory.
 */
kern_return_t iou_port_add_call(mach_port_t name, const uint64_t *reference,
	uint32_t reference_count, struct IONotificationPort **port, struct iou_wake *wake);
/* Remove a call that has failed: no completion will arrive. */
void iou_port_remove_call(struct IONotificationPort *port, uint64_t token);
void iou_port_release(struct IONotificationPort *port);
void iou_port_retain(struct IONotificationPort *port);

/*
 * Call @ready on the port's current queue when @fd is readable. The port has a reference to
 * @owner until the source is removed or the port destroyed; @fd must stay open as long as @owner
 * exists. False when memory is out or the port is destroyed.
 */
bool iou_port_add_source(struct IONotificationPort *port, int fd,
	void (*ready)(struct iou_object *owner), struct iou_object *owner);
void iou_port_remove_source(struct IONotificationPort *port, struct iou_object *owner);

#endif
