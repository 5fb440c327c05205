/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/iterator.h"
#include "iokit/registry.h"

#include <pthread.h>
#include <stdlib.h>

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

static void iterator_free(struct iou_object *object)
{
	struct iou_iterator *iterator = (struct iou_iterator *)object;

	if (iterator->ended)
		iterator->ended(iterator->context);
	for (size_t i = 0; i < iterator->count; i++)
		iou_name_release(iterator->entries[i], IOU_SERVICE);
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

/* The lock is held. */
static bool make_room(struct iou_iterator *iterator)
{
	size_t room = iterator->room ? iterator->room * 2 : 8;
	io_object_t *larger;

	if (iterator->count < iterator->room)
		return true;
	larger = realloc(iterator->entries, room * sizeof(*larger));
	if (!larger)
		return false;
	iterator->entries = larger;
	iterator->room = room;
	return true;
}

bool iou_iterator_add(struct iou_iterator *iterator, const struct iou_entry_info *info)
{
	io_object_t service = iou_service_name(info);
	bool added;

	if (!service)
		return false;
	pthread_mutex_lock(&iterator->lock);
	added = make_room(iterator);
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

/* A notification's iterator gives each entry once. The lock is held. */
static void forget_given(struct iou_iterator *iterator)
{
	for (size_t i = 0; i < iterator->count; i++)
		iou_name_release(iterator->entries[i], IOU_SERVICE);
	iterator->count = 0;
	iterator->next = 0;
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
			forget_given(iterator);
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
