/* SPDX-License-Identifier: BSD-3-Clause */
/* The source of a notification port, called by the harness's own thread (--wrap). */
#include "iokit/queue.h"
#include "tests/fuzz/client-rig.h"
#include "tests/fuzz/fuzz.h"

#include <poll.h>

struct iou_source {
	int fd;
	void (*ready)(struct iou_object *owner);
	struct iou_object *owner;
};

struct iou_source *__wrap_iou_source_add(dispatch_queue_t queue, int fd,
	void (*ready)(struct iou_object *owner), struct iou_object *owner);
void __wrap_iou_source_remove(dispatch_queue_t queue, struct iou_source *source);

/* There is one port at a time. */
static struct iou_source the_source;

struct iou_source *__wrap_iou_source_add(dispatch_queue_t queue, int fd,
	void (*ready)(struct iou_object *owner), struct iou_object *owner)
{
	(void)queue;
	iou_object_retain(owner);
	the_source = (struct iou_source){ fd, ready, owner };
	return &the_source;
}

void __wrap_iou_source_remove(dispatch_queue_t queue, struct iou_source *source)
{
	(void)queue;
	fuzz_require(source == &the_source && source->owner, "a source removed twice");
	iou_object_release(source->owner);
	*source = (struct iou_source){ .fd = -1 };
}

/* More than a socket holds. */
#define DELIVERIES_MAX 2000

void port_deliver(void)
{
	for (unsigned i = 0; the_source.owner; i++) {
		struct pollfd polled = { .fd = the_source.fd, .events = POLLIN };

		if (__real_poll(&polled, 1, 0) <= 0)
			return;
		fuzz_require(i < DELIVERIES_MAX, "a port that stays readable for ever");
		the_source.ready(the_source.owner);
	}
}
