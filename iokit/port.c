/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/port.h"
#include "iokit/queue.h"
#include "iokit/wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>

struct pending {
	UT_hash_handle hh;
	uint64_t token;
	uint64_t reference[kIOAsyncCalloutCount];
};

/* A descriptor that the port's queue polls: the port's socket, or one that was added. */
struct port_source {
	LIST_ENTRY(port_source) link;
	int fd;
	void (*ready)(struct iou_object *owner);
	struct iou_object *owner;  /* a reference, besides that of the source on the queue */
	struct iou_source *source; /* on the queue; NULL without a queue */
};

struct IONotificationPort {
	struct iou_object object;
	io_object_t name;
	int receive_fd, send_fd;
	/* The lock guards what follows; it is not held while a callout runs. */
	pthread_mutex_t lock;
	bool destroyed;
	bool shut_down; /* the socket: no more events arrive */
	uint64_t last_token;
	struct pending *pending; /* outstanding calls, by token */
	dispatch_queue_t queue;
	LIST_HEAD(, port_source) sources;
};

static void port_free(struct iou_object *object)
{
	struct IONotificationPort *port = (struct IONotificationPort *)object;
	struct pending *pending, *next;

	HASH_ITER (hh, port->pending, pending, next) {
		HASH_DEL(port->pending, pending);
		free(pending);
	}
	close(port->receive_fd);
	close(port->send_fd);
	pthread_mutex_destroy(&port->lock);
	free(port);
}

static void port_ready(struct iou_object *object);

IONotificationPortRef IONotificationPortCreate(mach_port_t main_port)
{
	struct IONotificationPort *port;
	int ends[2];

	if (main_port != kIOMainPortDefault)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
		return NULL;
	port = calloc(1, sizeof(*port));
	if (!port) {
		close(ends[0]);
		close(ends[1]);
		return NULL;
	}
	iou_object_init(&port->object, IOU_PORT, port_free);
	pthread_mutex_init(&port->lock, NULL);
	port->receive_fd = ends[0];
	port->send_fd = ends[1];
	iou_object_retain(&port->object); /* one reference for the name, one for the caller */
	port->name = iou_name_create(&port->object);
	if (!port->name || !iou_port_add_source(port, ends[0], port_ready, &port->object)) {
		iou_name_release(port->name, IOU_PORT);
		iou_object_release(&port->object);
		return NULL;
	}
	return port;
}

/* The number of arguments selects the type of callout, as in Apple's IOKit. */
static void call_out(const uint64_t *reference, const struct iou_event *event)
{
	void *refcon = (void *)(uintptr_t)reference[kIOAsyncCalloutRefconIndex];
	uintptr_t function = (uintptr_t)reference[kIOAsyncCalloutFuncIndex];
	void *args[IOUSER_SCALARS_MAX];

	if (!function)
		return;
	for (uint32_t i = 0; i < event->count; i++)
		args[i] = (void *)(uintptr_t)event->args[i];
	switch (event->count) {
	case 0:
		((IOAsyncCallback0)function)(refcon, event->header.status);
		break;
	case 1:
		((IOAsyncCallback1)function)(refcon, event->header.status, args[0]);
		break;
	case 2:
		((IOAsyncCallback2)function)(refcon, event->header.status, args[0], args[1]);
		break;
	default:
		((IOAsyncCallback)function)(refcon, event->header.status, args, event->count);
		break;
	}
}

/*
 * Copy the reference of the outstanding call with that token, and remove the call unless it stays
 * outstanding. Return: false without such a call, or when the port is destroyed.
 */
static bool find_pending(
	struct IONotificationPort *port, uint64_t token, bool stays, uint64_t *reference)
{
	struct pending *pending = NULL;
	bool found;

	pthread_mutex_lock(&port->lock);
	if (!port->destroyed)
		HASH_FIND(hh, port->pending, &token, sizeof(token), pending);
	found = pending;
	if (found)
		memcpy(reference, pending->reference, sizeof(pending->reference));
	if (found && !stays) {
		HASH_DEL(port->pending, pending);
		free(pending);
	}
	pthread_mutex_unlock(&port->lock);
	return found;
}

static bool event_is_valid(const union iou_buffer *buffer, int size)
{
	return size == (int)sizeof(buffer->event) && buffer->header.type == IOU_EVENT &&
	       buffer->event.count <= IOUSER_SCALARS_MAX;
}

static void handle_shutdown(struct IONotificationPort *port)
{
	pthread_mutex_lock(&port->lock);
	port->shut_down = true;
	pthread_mutex_unlock(&port->lock);
	iou_port_remove_source(port, &port->object);
}

/* Runs on the queue and handles one event; poll() calls it again for the next. */
static void port_ready(struct iou_object *object)
{
	struct IONotificationPort *port = (struct IONotificationPort *)object;
	uint64_t reference[kIOAsyncCalloutCount];
	union iou_buffer buffer;
	struct iou_fds fds;
	int size;

	size = iou_receive(port->receive_fd, &buffer, &fds, 0);
	/*
	 * A service that has a descriptor of the sending end can shut the socket down. It then
	 * stays readable, at end of file.
	 */
	if (size == 0)
		handle_shutdown(port);
	if (size <= 0)
		return;
	iou_fds_close(&fds);
	if (!event_is_valid(&buffer, size))
		return;
	if (find_pending(
		    port, buffer.event.token, buffer.event.flags & IOU_EVENT_REPEATS, reference) &&
		!(buffer.event.flags & IOU_EVENT_DROPPED))
		call_out(reference, &buffer.event);
}

/* Add a source to the port's queue, if it has one. The lock is held. */
static void attach(struct IONotificationPort *port, struct port_source *source)
{
	if (!port->queue)
		return;
	source->source = iou_source_add(port->queue, source->fd, source->ready, source->owner);
	if (!source->source)
		abort(); /* as Apple's: setting a queue cannot return an error */
}

static void detach(struct IONotificationPort *port, struct port_source *source)
{
	if (source->source)
		iou_source_remove(port->queue, source->source);
	source->source = NULL;
}

void IONotificationPortSetDispatchQueue(IONotificationPortRef port, dispatch_queue_t queue)
{
	struct port_source *source;
	dispatch_queue_t previous;

	pthread_mutex_lock(&port->lock);
	previous = port->queue;
	LIST_FOREACH (source, &port->sources, link)
		detach(port, source);
	port->queue = queue;
	if (queue)
		dispatch_retain(queue);
	LIST_FOREACH (source, &port->sources, link)
		attach(port, source);
	pthread_mutex_unlock(&port->lock);
	if (previous)
		dispatch_release(previous);
}

bool iou_port_add_source(struct IONotificationPort *port, int fd,
	void (*ready)(struct iou_object *owner), struct iou_object *owner)
{
	struct port_source *source = calloc(1, sizeof(*source));
	bool added;

	if (!source)
		return false;
	source->fd = fd;
	source->ready = ready;
	source->owner = owner;
	pthread_mutex_lock(&port->lock);
	added = !port->destroyed;
	if (added) {
		iou_object_retain(owner);
		LIST_INSERT_HEAD(&port->sources, source, link);
		attach(port, source);
	}
	pthread_mutex_unlock(&port->lock);
	if (!added)
		free(source);
	return added;
}

void iou_port_remove_source(struct IONotificationPort *port, struct iou_object *owner)
{
	struct port_source *source;

	pthread_mutex_lock(&port->lock);
	LIST_FOREACH (source, &port->sources, link)
		if (source->owner == owner)
			break;
	if (source) {
		detach(port, source);
		LIST_REMOVE(source, link);
	}
	pthread_mutex_unlock(&port->lock);
	if (source)
		iou_object_release(owner);
	free(source);
}

/* Remove all sources, including that of the port's socket, which the port owns. */
static void remove_sources(struct IONotificationPort *port)
{
	LIST_HEAD(, port_source) removed = LIST_HEAD_INITIALIZER(removed);
	struct port_source *source;

	pthread_mutex_lock(&port->lock);
	while ((source = LIST_FIRST(&port->sources))) {
		detach(port, source);
		LIST_REMOVE(source, link);
		LIST_INSERT_HEAD(&removed, source, link);
	}
	pthread_mutex_unlock(&port->lock);
	while ((source = LIST_FIRST(&removed))) {
		LIST_REMOVE(source, link);
		iou_object_release(source->owner);
		free(source);
	}
}

void IONotificationPortDestroy(IONotificationPortRef port)
{
	pthread_mutex_lock(&port->lock);
	port->destroyed = true;
	pthread_mutex_unlock(&port->lock);
	remove_sources(port);
	IONotificationPortSetDispatchQueue(port, NULL);
	iou_name_release(port->name, IOU_PORT);
	iou_object_release(&port->object);
}

mach_port_t IONotificationPortGetMachPort(IONotificationPortRef port)
{
	return port->name;
}

kern_return_t iou_port_add_call(mach_port_t name, const uint64_t *reference,
	uint32_t reference_count, struct IONotificationPort **expected, struct iou_wake *wake)
{
	struct IONotificationPort *port = iou_name_lookup(name, IOU_PORT);
	kern_return_t status = kIOReturnSuccess;
	struct pending *pending;

	if (!port)
		return kIOReturnBadArgument;
	pending = calloc(1, sizeof(*pending));
	if (!pending) {
		iou_port_release(port);
		return kIOReturnNoMemory;
	}
	for (uint32_t i = 0; i < kIOAsyncCalloutCount && i < reference_count; i++)
		pending->reference[i] = reference[i];
	pthread_mutex_lock(&port->lock);
	if (port->shut_down)
		status = kIOReturnIPCError;
	else if (HASH_COUNT(port->pending) >= IOU_OUTSTANDING_MAX)
		status = kIOReturnNoResources;
	if (status == kIOReturnSuccess) {
		pending->token = ++port->last_token;
		*wake = (struct iou_wake){ .fd = port->send_fd, .token = pending->token };
		HASH_ADD(hh, port->pending, token, sizeof(pending->token), pending);
	}
	pthread_mutex_unlock(&port->lock);
	if (status != kIOReturnSuccess) {
		free(pending);
		iou_port_release(port);
		return status;
	}
	*expected = port;
	return kIOReturnSuccess;
}

void iou_port_remove_call(struct IONotificationPort *port, uint64_t token)
{
	uint64_t reference[kIOAsyncCalloutCount];

	find_pending(port, token, false, reference);
}

void iou_port_retain(struct IONotificationPort *port)
{
	iou_object_retain(&port->object);
}

void iou_port_release(struct IONotificationPort *port)
{
	iou_object_release(&port->object);
}
