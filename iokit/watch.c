/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notifications of published and terminated services. After each change of the registry a watch
 * lists it and compares it with the last list. Changes are reported by an eventfd in this process,
 * or by the driver service on a connection of the watch. Without a service, the watch tries to
 * connect by a timer.
 */
#include "iokit/port.h"
#include "iokit/registry.h"
#include "iokit/service-socket.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Interval of attempts to connect. */
#define RETRY_MS 200

struct watch {
	struct iou_object object;
	struct IONotificationPort *port;
	CFDictionaryRef matching;
	bool of_terminations; /* else of publications */
	IOServiceMatchingCallback callback;
	void *refcon;
	bool local;
	int epoll;   /* polled by the port's queue; contains the next three */
	int changes; /* local: an eventfd of iou_services_watch() */
	int service; /* the connection to the driver service, or -1 */
	int timer;   /* runs while there is no connection */
	/* Used by the queue only, once the watch has been added to the port. */
	struct iou_entry_info *known; /* the last list of matching services */
	size_t known_count;
	/* The lock guards what follows. */
	pthread_mutex_t lock;
	struct iou_iterator *iterator; /* not a reference; NULL once it is freed */
	io_iterator_t name;
};

static void watch_free(struct iou_object *object)
{
	struct watch *watch = (struct watch *)object;
	const int fds[] = { watch->epoll, watch->changes, watch->service, watch->timer };

	if (watch->changes >= 0)
		iou_services_unwatch(watch->changes);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	CFRelease(watch->matching);
	free(watch->known);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

static bool poll_for(struct watch *watch, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Connect to the driver service and send WATCH. Returns the connection, or -1. */
static int subscribe(void)
{
	struct iou_header ask = { .type = IOU_WATCH };
	union iou_buffer reply;
	struct iou_fds fds;
	int fd = iou_socket_connect(NULL);

	if (fd < 0)
		return -1;
	if (iou_send(fd, &ask, sizeof(ask), NULL, 0, IOU_HELLO_TIMEOUT_MS) == 0 &&
		iou_receive(fd, &reply, &fds, IOU_HELLO_TIMEOUT_MS) > 0) {
		iou_fds_close(&fds);
		if (reply.header.type == (IOU_WATCH | IOU_REPLY) &&
			reply.header.status == kIOReturnSuccess)
			return fd;
	}
	close(fd);
	return -1;
}

static void disconnect(struct watch *watch)
{
	close(watch->service); /* also removes it from the epoll set */
	watch->service = -1;
}

/* Try to connect to the driver service; on failure the timer is started. */
static void connect_service(struct watch *watch)
{
	struct itimerspec often = { .it_interval.tv_nsec = RETRY_MS * 1000000L,
		.it_value.tv_nsec = RETRY_MS * 1000000L };
	struct itimerspec never = { .it_value.tv_sec = 0 };

	watch->service = subscribe();
	/* Failing to poll the connection counts as failing to connect. */
	if (watch->service >= 0 && !poll_for(watch, watch->service))
		disconnect(watch);
	timerfd_settime(watch->timer, 0, watch->service >= 0 ? &never : &often, NULL);
}

static bool is_among(
	const struct iou_entry_info *list, size_t count, const struct iou_entry_info *info)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].entry_id == info->entry_id)
			return true;
	return false;
}

/* List the services that match now. */
static struct iou_entry_info *list_matching(struct watch *watch, size_t *count)
{
	struct iou_entry_info *list = NULL;
	size_t listed = 0, matching = 0;

	if (watch->local || watch->service >= 0)
		list = iou_registry_list(&listed);
	for (size_t i = 0; i < listed; i++)
		if (iou_service_matches(watch->matching, &list[i]))
			list[matching++] = list[i];
	*count = matching;
	return list;
}

/* Add the services of @list that are not in @other to the iterator. Returns whether there are any. */
static bool add_difference(struct watch *watch, const struct iou_entry_info *list, size_t count,
	const struct iou_entry_info *other, size_t other_count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if (is_among(other, other_count, &list[i]))
			continue;
		pthread_mutex_lock(&watch->lock);
		if (watch->iterator)
			any = iou_iterator_add(watch->iterator, &list[i]) || any;
		pthread_mutex_unlock(&watch->lock);
	}
	return any;
}

/* List the services and compare with the last list. Returns whether the iterator has new entries. */
static bool refresh(struct watch *watch)
{
	size_t count;
	struct iou_entry_info *list = list_matching(watch, &count);
	bool any = watch->of_terminations ?
			   add_difference(watch, watch->known, watch->known_count, list, count) :
			   add_difference(watch, list, count, watch->known, watch->known_count);

	free(watch->known);
	watch->known = list;
	watch->known_count = count;
	return any;
}

/* Call the callback if the program has armed the notification. */
static void call_back(struct watch *watch)
{
	io_iterator_t name = IO_OBJECT_NULL;

	pthread_mutex_lock(&watch->lock);
	if (watch->iterator && iou_iterator_take_drained(watch->iterator))
		name = watch->name;
	pthread_mutex_unlock(&watch->lock);
	if (name)
		watch->callback(watch->refcon, name);
}

/* Read the descriptors, and connect or disconnect. */
static void read_changes(struct watch *watch)
{
	union iou_buffer message;
	struct iou_fds fds;
	uint64_t counter;

	if (watch->changes >= 0)
		(void)!read(watch->changes, &counter, sizeof(counter));
	if (watch->timer >= 0)
		(void)!read(watch->timer, &counter, sizeof(counter));
	if (watch->service >= 0) {
		int size = iou_receive(watch->service, &message, &fds, 0);

		if (size > 0)
			iou_fds_close(&fds);
		else if (size != -ETIMEDOUT)
			disconnect(watch);
	}
	if (!watch->local && watch->service < 0)
		connect_service(watch);
}

/* Runs on the port's queue. */
static void watch_ready(struct iou_object *object)
{
	struct watch *watch = (struct watch *)object;

	read_changes(watch);
	if (refresh(watch))
		call_back(watch);
}

/* The iterator is freed: cancel the notification. */
static void watch_cancel(void *context)
{
	struct watch *watch = context;

	pthread_mutex_lock(&watch->lock);
	watch->iterator = NULL;
	pthread_mutex_unlock(&watch->lock);
	iou_port_remove_source(watch->port, &watch->object);
	iou_port_release(watch->port);
	iou_object_release(&watch->object);
}

/* Start to watch the registry; false when out of descriptors. */
static bool open_watch(struct watch *watch)
{
	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll < 0)
		return false;
	if (watch->local) {
		watch->changes = iou_services_watch();
		return watch->changes >= 0 && poll_for(watch, watch->changes);
	}
	watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch->timer < 0 || !poll_for(watch, watch->timer))
		return false;
	connect_service(watch);
	return true;
}

static struct watch *watch_create(CFDictionaryRef matching, bool of_terminations)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch) {
		CFRelease(matching);
		return NULL;
	}
	iou_object_init(&watch->object, IOU_WATCH_OBJECT, watch_free);
	pthread_mutex_init(&watch->lock, NULL);
	watch->matching = matching;
	watch->of_terminations = of_terminations;
	watch->local = iou_services_published();
	watch->epoll = watch->changes = watch->service = watch->timer = -1;
	if (!open_watch(watch)) {
		iou_object_release(&watch->object);
		return NULL;
	}
	return watch;
}

/* 1 for publications, 0 for terminations, -1 for an unknown type. */
static int direction(const char *type)
{
	static const struct {
		const char *type;
		int direction;
	} types[] = {
		{ kIOPublishNotification, 1 },
		{ kIOFirstPublishNotification, 1 },
		{ kIOMatchedNotification, 1 },
		{ kIOFirstMatchNotification, 1 },
		{ kIOTerminatedNotification, 0 },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(type, types[i].type) == 0)
			return types[i].direction;
	return -1;
}

/* Create the iterator, with the services that exist now. */
static io_iterator_t create_iterator(struct watch *watch)
{
	io_iterator_t name;

	watch->iterator = iou_iterator_create(watch_cancel, watch);
	if (!watch->iterator) {
		watch_cancel(watch);
		return IO_OBJECT_NULL;
	}
	refresh(watch);
	name = iou_name_create(iou_iterator_object(watch->iterator));
	watch->name = name; /* no lock: no other thread has the watch yet */
	return name;
}

kern_return_t IOServiceAddMatchingNotification(IONotificationPortRef port, const char *type,
	CFDictionaryRef matching, IOServiceMatchingCallback callback, void *refcon,
	io_iterator_t *notification)
{
	struct watch *watch;

	if (!matching)
		return kIOReturnBadArgument;
	if (!port || !type || !callback || !notification || direction(type) < 0) {
		CFRelease(matching);
		return kIOReturnBadArgument;
	}
	watch = watch_create(matching, direction(type) == 0);
	if (!watch)
		return kIOReturnNoResources;
	watch->callback = callback;
	watch->refcon = refcon;
	watch->port = port;
	iou_port_retain(port);
	/* watch_cancel() releases watch and port, also when no name can be created. */
	*notification = create_iterator(watch);
	if (!*notification)
		return kIOReturnNoMemory;
	if (!iou_port_add_source(port, watch->epoll, watch_ready, &watch->object)) {
		IOObjectRelease(*notification);
		return kIOReturnNoMemory;
	}
	return kIOReturnSuccess;
}
