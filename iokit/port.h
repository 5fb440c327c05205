/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notification ports. A port is a socket pair: its sending end travels with each
 * asynchronous call, to a driver in another process or in this one, and what
 * comes out of the other end is looked up among the calls that wait.
 */
#ifndef IOKIT_PORT_H
#define IOKIT_PORT_H

#include "iokit/object.h"

#include <stddef.h>

/* An asynchronous call's half of a port. */
struct iou_wake {
	int fd;		/* the sending end, borrowed; -1: the call is not asynchronous */
	uint64_t token;
};

/*
 * Expect a completion: keeps a copy of @reference. Returns the port, with a
 * reference for iou_port_put(), and *wake; NULL when @port is none or the memory
 * is out.
 */
struct IONotificationPort *iou_port_expect(mach_port_t port, const uint64_t *reference,
	uint32_t reference_count, struct iou_wake *wake);
/* The call failed: nothing will come. */
void iou_port_forget(struct IONotificationPort *port, uint64_t token);
void iou_port_put(struct IONotificationPort *port);

#endif
