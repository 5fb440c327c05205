/* SPDX-License-Identifier: BSD-3-Clause */
/* Asynchronous calls, seen from the driver's side. */
#ifndef IOKIT_COMPLETION_H
#define IOKIT_COMPLETION_H

#include <iokit-user/service.h>

/* How many calls of one client have not completed: counted by the completions themselves. */
struct iou_outstanding;
struct iou_outstanding *iou_outstanding_create(void);
void iou_outstanding_release(struct iou_outstanding *outstanding);	/* NULL is fine */
unsigned iou_outstanding_count(const struct iou_outstanding *outstanding);

/*
 * A call that arrived with a port. @outstanding may be NULL, else it is counted there.
 * @fd, the port's sending end, is taken over, also on failure (NULL, without memory).
 */
struct iouser_completion *iou_completion_create(
	int fd, uint64_t token, struct iou_outstanding *outstanding);
/* The call failed: its client expects nothing, and is sent nothing. NULL is fine. */
void iou_completion_refuse(struct iouser_completion *completion);

#endif
