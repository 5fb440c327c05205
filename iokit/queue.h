/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors that a dispatch queue polls. */
#ifndef IOKIT_QUEUE_H
#define IOKIT_QUEUE_H

#include "iokit/object.h"

#include <dispatch/dispatch.h>

struct iou_source;

/**
 * iou_source_add - call @ready on the queue's own thread whenever @fd is readable
 * @queue: the queue, which is not retained: remove the source before releasing it
 * @fd: non-blocking; must stay open as long as @owner lives
 * @owner: argument of @ready; the source has a reference to it
 *
 * The thread that polls also runs the callout, so that an event costs one wake-up.
 *
 * Return: the source, or NULL without memory.
 */
struct iou_source *iou_source_add(dispatch_queue_t queue, int fd,
	void (*ready)(struct iou_object *owner), struct iou_object *owner);
/* Remove it. A call of @ready may still be running when this returns. */
void iou_source_remove(dispatch_queue_t queue, struct iou_source *source);

#endif
