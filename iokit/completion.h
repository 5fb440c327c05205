/* SPDX-License-Identifier: BSD-3-Clause */
/* Asynchronous calls on the driver's side. */
#ifndef IOKIT_COMPLETION_H
#define IOKIT_COMPLETION_H

#include "common/fd-dispose.h"

#include <iokit-user/service.h>

/* The number of outstanding asynchronous calls of one client. */
struct iou_outstanding;
struct iou_outstanding *iou_outstanding_create(void);
void iou_outstanding_release(struct iou_outstanding *outstanding); /* may be NULL */
unsigned iou_outstanding_count(const struct iou_outstanding *outstanding);

/* The sending end of a notification port, shared by all completions that are sent there. */
struct iou_port_end;
/*
 * Ownership of @fd passes to this function, also on failure (NULL). It is disposed of with the
 * last reference. @peer is charged for it; NULL for a descriptor of this process.
 */
struct iou_port_end *iou_port_end_create(int fd, struct fd_peer *peer);
void iou_port_end_release(struct iou_port_end *end); /* may be NULL */

/*
 * A call that is to complete at @end, which it keeps a reference to. @repeats: the client knows
 * IOU_EVENT_REPEATS. @outstanding may be NULL, else it is counted there. NULL without memory.
 */
struct iouser_completion *iou_completion_create(struct iou_port_end *end, uint64_t token,
	bool repeats, struct iou_outstanding *outstanding);
/* Send no completion, since the call has failed. May be NULL. */
void iou_completion_refuse(struct iouser_completion *completion);

#endif
