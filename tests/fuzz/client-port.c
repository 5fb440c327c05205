/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event sources of notification ports. The linker option --wrap replaces the functions that add and
 * remove them, so that the harness's thread calls their handlers.
 */
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

/* The sources of one port, and of the registrations of notifications on it. */
#define SOURCES_MAX 32
static struct iou_source sources[SOURCES_MAX];

struct iou_source *__wrap_iou_source_add(dispatch_queue_t queue, int fd,
	void (*ready)(struct iou_object *owner), struct iou_object *owner)
{
	(void)queue;
	for (unsigned i = 0; i < SOURCES_MAX; i++) {
		if (sources[i].owner)
			continue;
		iou_object_retain(owner);
		sources[i] = (struct iou_source){ fd, ready, owner };
		return &sources[i];
	}
	return NULL;
}

void __wrap_iou_source_remove(dispatch_queue_t queue, struct iou_source *source)
{
	struct iou_object *owner = source->owner;

	(void)queue;
	fuzz_require(source >= sources && source < sources + SOURCES_MAX && owner,
		"an unknown source was removed");
	source->owner = NULL;
	iou_object_release(owner);
}

/* Call the handler of each readable source once. Return: whether there was one. */
static bool deliver(void)
{
	bool any = false;

	for (unsigned i = 0; i < SOURCES_MAX; i++) {
		struct pollfd polled = { .fd = sources[i].fd, .events = POLLIN };
		struct iou_object *owner = sources[i].owner;

		if (!owner || __real_poll(&polled, 1, 0) <= 0)
			continue;
		any = true;
		iou_object_retain(owner); /* the handler may remove the source */
		sources[i].ready(owner);
		iou_object_release(owner);
	}
	return any;
}

/* More than the messages in a socket's queue. */
#define DELIVERIES_MAX 2000

void port_deliver(void)
{
	for (unsigned i = 0; deliver(); i++)
		fuzz_require(i < DELIVERIES_MAX, "a port remains readable");
}
