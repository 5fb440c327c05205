/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/service.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct iouser_service {
	TAILQ_ENTRY(iouser_service) link;
	struct iou_entry_info info;
	const struct iouser_class *class;
	void *driver;
	bool published;
	unsigned clients; /* open, or being opened */
};

/* The lock guards all services and the list; it is not held while a driver is called. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t client_gone = PTHREAD_COND_INITIALIZER;
static TAILQ_HEAD(, iouser_service) services = TAILQ_HEAD_INITIALIZER(services);
static uint64_t last_entry_id = 0x100000000; /* above 32 bits, as IOKit's */
static bool ever_published;

struct watcher {
	LIST_ENTRY(watcher) link;
	int fd;
};
static LIST_HEAD(, watcher) watchers = LIST_HEAD_INITIALIZER(watchers);

/* Wake all watchers. The lock is held. */
static void notify_watchers(void)
{
	const uint64_t one = 1;
	struct watcher *watcher;

	LIST_FOREACH (watcher, &watchers, link)
		(void)!write(watcher->fd, &one, sizeof(one));
}

int iou_services_watch(void)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));

	if (!watcher)
		return -1;
	watcher->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watcher->fd < 0) {
		free(watcher);
		return -1;
	}
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&watchers, watcher, link);
	pthread_mutex_unlock(&lock);
	return watcher->fd;
}

void iou_services_unwatch(int fd)
{
	struct watcher *watcher;

	pthread_mutex_lock(&lock);
	LIST_FOREACH (watcher, &watchers, link)
		if (watcher->fd == fd)
			break;
	if (watcher)
		LIST_REMOVE(watcher, link);
	pthread_mutex_unlock(&lock);
	free(watcher);
}

const char *iou_property(const char properties[IOU_PROPERTIES_MAX], const char *key)
{
	const char *at = properties, *end = properties + IOU_PROPERTIES_MAX;

	while (at < end && *at) {
		const char *value = memchr(at, '\0', (size_t)(end - at));
		const char *next =
			value && ++value < end ? memchr(value, '\0', (size_t)(end - value)) : NULL;

		if (!next)
			return NULL; /* not terminated */
		if (strcmp(at, key) == 0)
			return value;
		at = next + 1;
	}
	return NULL;
}

/* Write properties in the format of struct iou_entry; false when they do not fit. */
static bool pack_properties(char to[IOU_PROPERTIES_MAX], const struct iouser_property *properties)
{
	size_t used = 0;

	for (; properties && properties->key; properties++) {
		size_t key = strlen(properties->key) + 1, value = strlen(properties->value) + 1;

		if (key + value + 1 > IOU_PROPERTIES_MAX - used)
			return false;
		memcpy(to + used, properties->key, key);
		memcpy(to + used + key, properties->value, value);
		used += key + value;
	}
	return true;
}

struct iouser_service *iouser_service_publish(const char *user_class,
	const struct iouser_class *provides, void *driver, const struct iouser_property *properties)
{
	struct iouser_service *service = calloc(1, sizeof(*service));

	if (!service)
		return NULL;
	if (!pack_properties(service->info.properties, properties)) {
		free(service);
		return NULL;
	}
	service->class = provides;
	service->driver = driver;
	service->published = true;
	snprintf(service->info.name, sizeof(service->info.name), "%s", user_class);
	snprintf(service->info.user_class, sizeof(service->info.user_class), "%s", user_class);
	pthread_mutex_lock(&lock);
	service->info.entry_id = ++last_entry_id;
	TAILQ_INSERT_TAIL(&services, service, link);
	ever_published = true;
	notify_watchers();
	pthread_mutex_unlock(&lock);
	return service;
}

/* The lock is held. */
static void unpublish(struct iouser_service *service)
{
	if (!service->published)
		return;
	TAILQ_REMOVE(&services, service, link);
	service->published = false;
	notify_watchers();
}

void iouser_service_terminate(struct iouser_service *service)
{
	pthread_mutex_lock(&lock);
	unpublish(service);
	pthread_mutex_unlock(&lock);
}

void iouser_service_release(struct iouser_service *service)
{
	pthread_mutex_lock(&lock);
	unpublish(service);
	while (service->clients)
		pthread_cond_wait(&client_gone, &lock);
	pthread_mutex_unlock(&lock);
	free(service);
}

bool iou_services_published(void)
{
	bool published;

	pthread_mutex_lock(&lock);
	published = ever_published;
	pthread_mutex_unlock(&lock);
	return published;
}

struct iou_entry_info *iou_services_list(size_t *count)
{
	struct iou_entry_info *list = NULL;
	struct iouser_service *service;
	size_t n = 0;

	pthread_mutex_lock(&lock);
	TAILQ_FOREACH (service, &services, link)
		n++;
	if (n)
		list = calloc(n, sizeof(*list));
	*count = list ? n : 0;
	n = 0;
	if (list)
		TAILQ_FOREACH (service, &services, link)
			list[n++] = service->info;
	pthread_mutex_unlock(&lock);
	return list;
}

static void client_closed(struct iouser_service *service)
{
	pthread_mutex_lock(&lock);
	service->clients--;
	pthread_cond_broadcast(&client_gone);
	pthread_mutex_unlock(&lock);
}

kern_return_t iou_user_client_open(
	uint64_t entry_id, uint32_t type, struct iouser_peer *peer, struct iou_user_client *client)
{
	struct iouser_service *service;
	kern_return_t status;

	pthread_mutex_lock(&lock);
	TAILQ_FOREACH (service, &services, link)
		if (service->info.entry_id == entry_id)
			break;
	if (service)
		service->clients++;
	pthread_mutex_unlock(&lock);
	if (!service)
		return kIOReturnOffline;
	client->service = service;
	client->class = service->class;
	status = service->class->new_user_client(service->driver, type, peer, &client->client);
	if (status != kIOReturnSuccess)
		client_closed(service);
	return status;
}

kern_return_t iou_user_client_call(
	const struct iou_user_client *client, struct iouser_arguments *arguments)
{
	kern_return_t status;

	arguments->scalar_output_count = 0;
	arguments->structure_output_size = 0;
	if (arguments->scalar_output_room)
		memset(arguments->scalar_output, 0,
			arguments->scalar_output_room * sizeof(*arguments->scalar_output));
	if (arguments->structure_output_room)
		memset(arguments->structure_output, 0, arguments->structure_output_room);
	status = client->class->external_method(client->client, arguments);
	if (status == kIOReturnSuccess &&
		(arguments->scalar_output_count > arguments->scalar_output_room ||
			arguments->structure_output_size > arguments->structure_output_room))
		status = kIOReturnInternalError;
	if (status != kIOReturnSuccess) {
		arguments->scalar_output_count = 0;
		arguments->structure_output_size = 0;
	}
	return status;
}

void iou_user_client_close(struct iou_user_client *client)
{
	client->class->client_closed(client->client);
	client_closed(client->service);
}
