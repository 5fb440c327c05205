/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notification ports. A port is a socket pair: its sending end travels with each
 * asynchronous call, to a driver in another process or in this one, and what
 * comes out of the other end is looked up among the calls that wait.
 */
#ifndef IOKIT_PORT_H
#define IOKIT_PORT_H

#include "iokit/object.h"

#include <stdbool.h>
#include <stddef.h>

/* An asynchronous call's half of a port. */
struct iou_wake {
	int fd; /* the sending end, borrowed; -1: the call is not asynchronous */
	uint64_t token;
};

/*
 * Calls that wait on one port at a time. A driver sends one event for each, and does
 * not wait for a port that is not read: as many as this always fit its socket, so
 * that none is lost.
 */
#define IOU_OUTSTANDING_MAX 128

/*
 * Expect a completion: keeps a copy of @reference. Sets *port, with a reference for
 * iou_port_put(), and *wake. kIOReturnBadArgument when @name is no port;
 * kIOReturnNoResources past IOU_OUTSTANDING_MAX; kIOReturnIPCError when a service has
 * shut the port's socket down; kIOReturnNoMemory.
 */
kern_return_t iou_port_expect(mach_port_t name, const uint64_t *reference, uint32_t reference_count,
	struct IONotificationPort **port, struct iou_wake *wake);
/* The call failed: nothing will come. */
void iou_port_forget(struct IONotificationPort *port, uint64_t token);
void iou_port_put(struct IONotificationPort *port);
void iou_port_hold(struct IONotificationPort *port);

/*
 * Have @ready called on the port's queue, whichever that is, when @fd is readable. The
 * port holds a reference to @owner until the source is removed, or the port destroyed;
 * @fd stays open as long as @owner lives. False without memory or on a destroyed port.
 */
bool iou_port_add_source(struct IONotificationPort *port, int fd,
	void (*ready)(struct iou_object *owner), struct iou_object *owner);
void iou_port_remove_source(struct IONotificationPort *port, struct iou_object *owner);

#endif
