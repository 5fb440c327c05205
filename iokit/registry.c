/* SPDX-License-Identifier: BSD-3-Clause */
/* The registry: matching dictionaries, registry entries, iterators. */
#include "iokit/connection.h"
#include "iokit/dictionary.h"
#include "iokit/object.h"
#include "iokit/registry.h"
#include "iokit/service.h"
#include "iokit/service-socket.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A peer that sends more entries is faulty. */
#define SERVICES_MAX 4096

struct service {
	struct iou_object object;
	struct iou_entry_info info;
};

/* The classes of a driver extension's service, the most specific first. */
static const char *const service_classes[] = { "IOUserService", "IOService", "IORegistryEntry",
	"OSObject" };
static const char *const iterator_classes[] = { "IOUserIterator", "OSIterator", "OSObject" };

static CFMutableDictionaryRef matching(const char *key, const char *value)
{
	CFMutableDictionaryRef dictionary;
	CFStringRef text;

	if (!value)
		return NULL;
	dictionary = iou_dictionary_create();
	text = CFStringCreateWithCString(kCFAllocatorDefault, value, kCFStringEncodingUTF8);
	if (dictionary && text)
		CFDictionarySetValue(dictionary, __CFStringMakeConstantString(key), text);
	if (dictionary && !text) {
		CFRelease(dictionary);
		dictionary = NULL;
	}
	if (text)
		CFRelease(text);
	return dictionary;
}

CFMutableDictionaryRef IOServiceMatching(const char *name)
{
	return matching(kIOProviderClassKey, name);
}

CFMutableDictionaryRef IOServiceNameMatching(const char *name)
{
	return matching(kIONameMatchKey, name);
}

static int is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return 1;
	return 0;
}

static int service_conforms(const char *class_name)
{
	return is_one_of(
		class_name, service_classes, sizeof(service_classes) / sizeof(*service_classes));
}

/* The text of a matching key; false when the dictionary has none. */
static bool matching_text(CFDictionaryRef dictionary, const char *key, char *text, size_t size)
{
	CFTypeRef value = CFDictionaryGetValue(dictionary, __CFStringMakeConstantString(key));

	return value && CFGetTypeID(value) == CFStringGetTypeID() &&
	       CFStringGetCString(value, text, (CFIndex)size, kCFStringEncodingUTF8);
}

bool iou_service_matches(CFDictionaryRef dictionary, const struct iou_entry_info *info)
{
	char text[128];
	bool constrained = false;

	if (matching_text(dictionary, kIOProviderClassKey, text, sizeof(text))) {
		constrained = true;
		if (!service_conforms(text) && strcmp(text, info->user_class) != 0)
			return false;
	}
	if (matching_text(dictionary, kIONameMatchKey, text, sizeof(text))) {
		constrained = true;
		if (strcmp(text, info->name) != 0)
			return false;
	}
	return constrained;
}

static bool entry_is_valid(const union iou_buffer *buffer, int size)
{
	return size == (int)sizeof(buffer->entry) && buffer->header.type == IOU_ENTRY &&
	       memchr(buffer->entry.name, 0, IOU_NAME_MAX) &&
	       memchr(buffer->entry.user_class, 0, IOU_NAME_MAX);
}

/* Receive entries up to the reply to LIST. After an error, those received before are returned. */
static struct iou_entry_info *receive_list(int fd, size_t *count)
{
	struct iou_entry_info *list = NULL, *larger;
	union iou_buffer buffer;
	struct iou_fds fds;
	int64_t deadline = iou_now_ms() + IOU_HELLO_TIMEOUT_MS; /* for all of it */
	int size;

	for (*count = 0; *count < SERVICES_MAX && iou_now_ms() < deadline;) {
		size = iou_receive(fd, &buffer, &fds, IOU_HELLO_TIMEOUT_MS);
		if (size <= 0)
			break;
		iou_fds_close(&fds);
		if (!entry_is_valid(&buffer, size))
			break;
		larger = realloc(list, (*count + 1) * sizeof(*list));
		if (!larger)
			break;
		list = larger;
		list[*count].entry_id = buffer.entry.entry_id;
		memcpy(list[*count].name, buffer.entry.name, IOU_NAME_MAX);
		memcpy(list[*count].user_class, buffer.entry.user_class, IOU_NAME_MAX);
		memcpy(list[*count].properties, buffer.entry.properties, IOU_PROPERTIES_MAX);
		++*count;
	}
	return list;
}

static struct iou_entry_info *list_remote(size_t *count)
{
	struct iou_header list = { .type = IOU_LIST };
	struct iou_entry_info *entries = NULL;
	int fd = iou_socket_connect(NULL);

	*count = 0;
	if (fd < 0)
		return NULL;
	if (iou_send(fd, &list, sizeof(list), NULL, 0, IOU_HELLO_TIMEOUT_MS) == 0)
		entries = receive_list(fd, count);
	close(fd);
	return entries;
}

struct iou_entry_info *iou_registry_list(size_t *count)
{
	return iou_services_published() ? iou_services_list(count) : list_remote(count);
}

static void service_free(struct iou_object *object)
{
	free(object);
}

/* A new name for a service, with one reference, or IO_OBJECT_NULL. */
static io_object_t create_name(const struct iou_entry_info *info)
{
	struct service *service = calloc(1, sizeof(*service));

	if (!service)
		return IO_OBJECT_NULL;
	iou_object_init(&service->object, IOU_SERVICE, service_free);
	service->info = *info;
	return iou_name_create(&service->object);
}

struct iou_iterator {
	struct iou_object object;
	void (*ended)(void *context);
	void *context;
	/* The lock guards what follows. */
	pthread_mutex_t lock;
	io_object_t *entries; /* a reference to each */
	size_t count, room, next;
	bool drained;
};

/* Release all entries. The lock is held, or this is the last reference. */
static void drop_entries(struct iou_iterator *iterator)
{
	for (size_t i = 0; i < iterator->count; i++)
		iou_name_release(iterator->entries[i], IOU_SERVICE);
	iterator->count = 0;
	iterator->next = 0;
}

static void iterator_free(struct iou_object *object)
{
	struct iou_iterator *iterator = (struct iou_iterator *)object;

	if (iterator->ended)
		iterator->ended(iterator->context);
	drop_entries(iterator);
	free(iterator->entries);
	pthread_mutex_destroy(&iterator->lock);
	free(iterator);
}

struct iou_iterator *iou_iterator_create(void (*ended)(void *context), void *context)
{
	struct iou_iterator *iterator = calloc(1, sizeof(*iterator));

	if (!iterator)
		return NULL;
	iou_object_init(&iterator->object, IOU_ITERATOR, iterator_free);
	pthread_mutex_init(&iterator->lock, NULL);
	iterator->ended = ended;
	iterator->context = context;
	return iterator;
}

struct iou_object *iou_iterator_object(struct iou_iterator *iterator)
{
	return &iterator->object;
}

bool iou_iterator_add(struct iou_iterator *iterator, const struct iou_entry_info *info)
{
	io_object_t service = create_name(info);
	bool added = true;

	if (!service)
		return false;
	pthread_mutex_lock(&iterator->lock);
	if (iterator->count == iterator->room) {
		size_t room = iterator->room ? iterator->room * 2 : 8;
		io_object_t *larger = reallocarray(iterator->entries, room, sizeof(*larger));

		added = larger != NULL;
		if (added) {
			iterator->entries = larger;
			iterator->room = room;
		}
	}
	if (added)
		iterator->entries[iterator->count++] = service;
	pthread_mutex_unlock(&iterator->lock);
	if (!added)
		iou_name_release(service, IOU_SERVICE);
	return added;
}

bool iou_iterator_take_drained(struct iou_iterator *iterator)
{
	bool drained;

	pthread_mutex_lock(&iterator->lock);
	drained = iterator->drained;
	iterator->drained = false;
	pthread_mutex_unlock(&iterator->lock);
	return drained;
}

io_object_t IOIteratorNext(io_iterator_t name)
{
	struct iou_iterator *iterator = iou_name_lookup(name, IOU_ITERATOR);
	io_object_t entry = IO_OBJECT_NULL;

	if (!iterator)
		return IO_OBJECT_NULL;
	pthread_mutex_lock(&iterator->lock);
	if (iterator->next < iterator->count) {
		entry = iterator->entries[iterator->next++];
		iou_name_retain(entry, IOU_SERVICE);
	} else {
		iterator->drained = true;
		if (iterator->ended)
			drop_entries(iterator); /* a notification's: each is returned once */
	}
	pthread_mutex_unlock(&iterator->lock);
	iou_object_release(&iterator->object);
	return entry;
}

void IOIteratorReset(io_iterator_t name)
{
	struct iou_iterator *iterator = iou_name_lookup(name, IOU_ITERATOR);

	if (!iterator)
		return;
	pthread_mutex_lock(&iterator->lock);
	iterator->next = 0;
	pthread_mutex_unlock(&iterator->lock);
	iou_object_release(&iterator->object);
}

/* An iterator over those of @list that match, or NULL without memory. */
static struct iou_iterator *iterator_over(
	CFDictionaryRef dictionary, const struct iou_entry_info *list, size_t count)
{
	struct iou_iterator *iterator = iou_iterator_create(NULL, NULL);

	for (size_t i = 0; iterator && i < count; i++)
		if (iou_service_matches(dictionary, &list[i]))
			iou_iterator_add(iterator, &list[i]);
	return iterator;
}

kern_return_t IOServiceGetMatchingServices(
	mach_port_t main_port, CFDictionaryRef dictionary, io_iterator_t *existing)
{
	struct iou_entry_info *list;
	struct iou_iterator *iterator;
	size_t count;

	if (!dictionary)
		return kIOReturnBadArgument;
	if (!existing || main_port != kIOMainPortDefault) {
		CFRelease(dictionary);
		return kIOReturnBadArgument;
	}
	list = iou_registry_list(&count);
	iterator = iterator_over(dictionary, list, count);
	free(list);
	CFRelease(dictionary);
	if (!iterator)
		return kIOReturnNoMemory;
	*existing = iou_name_create(iou_iterator_object(iterator));
	return *existing ? kIOReturnSuccess : kIOReturnNoResources;
}

io_service_t IOServiceGetMatchingService(mach_port_t main_port, CFDictionaryRef dictionary)
{
	io_iterator_t iterator;
	io_service_t service;

	if (IOServiceGetMatchingServices(main_port, dictionary, &iterator) != kIOReturnSuccess)
		return IO_OBJECT_NULL;
	service = IOIteratorNext(iterator);
	IOObjectRelease(iterator);
	return service;
}

int IOObjectConformsTo(io_object_t name, const char *class_name)
{
	struct iou_object *object = iou_name_lookup(name, IOU_ANY);
	int conforms = 0;

	if (!object)
		return 0;
	if (object->kind == IOU_SERVICE)
		conforms = service_conforms(class_name);
	else if (object->kind == IOU_ITERATOR)
		conforms = is_one_of(class_name, iterator_classes,
			sizeof(iterator_classes) / sizeof(*iterator_classes));
	iou_object_release(object);
	return conforms;
}

CFTypeRef IORegistryEntryCreateCFProperty(
	io_registry_entry_t entry, CFStringRef key, CFAllocatorRef allocator, IOOptionBits options)
{
	struct service *service = iou_name_lookup(entry, IOU_SERVICE);
	const char *value = NULL;
	CFTypeRef string = NULL;
	char name[128];

	(void)options;
	if (!service)
		return NULL;
	/* IOClass is the kernel's class; IOUserClass that of the driver extension. */
	if (!CFStringGetCString(key, name, sizeof(name), kCFStringEncodingUTF8))
		value = NULL;
	else if (strcmp(name, "IOUserClass") == 0)
		value = service->info.user_class;
	else if (strcmp(name, "IOClass") == 0)
		value = service_classes[0];
	else
		value = iou_property(service->info.properties, name);
	if (value)
		string = CFStringCreateWithCString(allocator, value, kCFStringEncodingUTF8);
	iou_object_release(&service->object);
	return string;
}

kern_return_t IORegistryEntryGetRegistryEntryID(io_registry_entry_t entry, uint64_t *entry_id)
{
	struct service *service;

	if (!entry_id)
		return kIOReturnBadArgument;
	service = iou_name_lookup(entry, IOU_SERVICE);
	if (!service)
		return kIOReturnBadArgument;
	*entry_id = service->info.entry_id;
	iou_object_release(&service->object);
	return kIOReturnSuccess;
}

kern_return_t IORegistryEntryGetName(io_registry_entry_t entry, io_name_t name)
{
	struct service *service = iou_name_lookup(entry, IOU_SERVICE);

	if (!service)
		return kIOReturnBadArgument;
	memset(name, 0, sizeof(io_name_t));
	memcpy(name, service->info.name, IOU_NAME_MAX);
	iou_object_release(&service->object);
	return kIOReturnSuccess;
}

kern_return_t IOServiceOpen(
	io_service_t name, task_port_t owning_task, uint32_t type, io_connect_t *connect)
{
	struct service *service;
	kern_return_t status;

	if (!connect || owning_task != mach_task_self())
		return kIOReturnBadArgument;
	*connect = IO_OBJECT_NULL;
	service = iou_name_lookup(name, IOU_SERVICE);
	if (!service)
		return kIOReturnBadArgument;
	status = iou_services_published() ? iou_local_open(service->info.entry_id, type, connect) :
					    iou_remote_open(service->info.entry_id, type, connect);
	iou_object_release(&service->object);
	return status;
}
