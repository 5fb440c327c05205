/* SPDX-License-Identifier: BSD-3-Clause */
/* Asynchronous calls, seen from the driver's side. */
#ifndef IOKIT_COMPLETION_H
#define IOKIT_COMPLETION_H

#include "common/fd-dispose.h"

#include <iokit-user/service.h>

/* How many calls of one client have not completed: counted by the completions themselves. */
struct iou_outstanding;
struct iou_outstanding *iou_outstanding_create(void);
void iou_outstanding_release(struct iou_outstanding *outstanding); /* NULL is fine */
unsigned iou_outstanding_count(const struct iou_outstanding *outstanding);

/* The sending end of a notification port: one descriptor, however many calls complete there. */
struct iou_port_end;
/*
 * @fd is taken over, also on failure (NULL, without memory), and disposed of with the last
 * reference. @peer is charged for it; NULL: it is this process's own.
 */
struct iou_port_end *iou_port_end_create(int fd, struct fd_peer *peer);
void iou_port_end_release(struct iou_port_end *end); /* NULL is fine */

/*
 * A call that is to complete at @end, which it keeps a reference to. @outstanding may be NULL,
 * else it is counted there. NULL without memory.
 */
struct iouser_completion *iou_completion_create(
	struct iou_port_end *end, uint64_t token, struct iou_outstanding *outstanding);
/* The call failed: its client expects nothing, and is sent nothing. NULL is fine. */
void iou_completion_refuse(struct iouser_completion *completion);

#endif
