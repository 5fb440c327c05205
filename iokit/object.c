/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/object.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * A name is an index (20 bits, starting at 1) and a generation (12 bits), which distinguishes a
 * released name from the current one in the same slot.
 */
#define INDEX_BITS 20
#define INDEX_MASK ((1u << INDEX_BITS) - 1)

struct slot {
	struct iou_object *object; /* NULL: free */
	uint32_t references;
	uint32_t generation;
	uint32_t next_free; /* index + 1 */
};

/* The lock guards everything below it; it is a leaf lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *slots;
static uint32_t slot_count, first_free; /* first_free: index + 1 */

void iou_object_init(
	struct iou_object *object, enum iou_kind kind, void (*destroy)(struct iou_object *))
{
	object->kind = kind;
	object->destroy = destroy;
	atomic_init(&object->references, 1);
}

void iou_object_retain(struct iou_object *object)
{
	atomic_fetch_add(&object->references, 1);
}

void iou_object_release(struct iou_object *object)
{
	if (atomic_fetch_sub(&object->references, 1) == 1)
		object->destroy(object);
}

static bool grow(void)
{
	uint32_t count = slot_count ? slot_count * 2 : 64;
	struct slot *larger;

	if (count > INDEX_MASK)
		return false;
	larger = realloc(slots, count * sizeof(*larger));
	if (!larger)
		return false;
	slots = larger;
	for (uint32_t i = count; i-- > slot_count;) {
		slots[i] = (struct slot){ .next_free = first_free };
		first_free = i + 1;
	}
	slot_count = count;
	return true;
}

io_object_t iou_name_create(struct iou_object *object)
{
	io_object_t name = IO_OBJECT_NULL;
	uint32_t index;

	pthread_mutex_lock(&lock);
	if (first_free || grow()) {
		index = first_free - 1;
		first_free = slots[index].next_free;
		slots[index].object = object;
		slots[index].references = 1;
		name = (slots[index].generation << INDEX_BITS) | (index + 1);
	}
	pthread_mutex_unlock(&lock);
	if (!name)
		iou_object_release(object);
	return name;
}

/* The slot of a name, or NULL. The lock is held. */
static struct slot *find(io_object_t name, enum iou_kind kind)
{
	uint32_t index = (name & INDEX_MASK) - 1; /* wraps to past the end for an index of 0 */
	struct slot *slot;

	if (index >= slot_count)
		return NULL;
	slot = &slots[index];
	if (!slot->object || slot->generation != name >> INDEX_BITS)
		return NULL;
	return kind == IOU_ANY || slot->object->kind == kind ? slot : NULL;
}

void *iou_name_lookup(io_object_t name, enum iou_kind kind)
{
	struct iou_object *object = NULL;
	struct slot *slot;

	pthread_mutex_lock(&lock);
	slot = find(name, kind);
	if (slot) {
		object = slot->object;
		iou_object_retain(object);
	}
	pthread_mutex_unlock(&lock);
	return object;
}

kern_return_t iou_name_retain(io_object_t name, enum iou_kind kind)
{
	struct slot *slot;

	pthread_mutex_lock(&lock);
	slot = find(name, kind);
	if (slot)
		slot->references++;
	pthread_mutex_unlock(&lock);
	return slot ? kIOReturnSuccess : kIOReturnBadArgument;
}

kern_return_t iou_name_release(io_object_t name, enum iou_kind kind)
{
	struct iou_object *released = NULL;
	struct slot *slot;

	pthread_mutex_lock(&lock);
	slot = find(name, kind);
	if (slot && --slot->references == 0) {
		released = slot->object;
		slot->object = NULL;
		slot->generation = (slot->generation + 1) & (UINT32_MAX >> INDEX_BITS);
		slot->next_free = first_free;
		first_free = (name & INDEX_MASK);
	}
	pthread_mutex_unlock(&lock);
	if (released)
		iou_object_release(released);
	return slot ? kIOReturnSuccess : kIOReturnBadArgument;
}

kern_return_t IOObjectRetain(io_object_t object)
{
	return iou_name_retain(object, IOU_ANY);
}

kern_return_t IOObjectRelease(io_object_t object)
{
	return iou_name_release(object, IOU_ANY);
}

mach_port_t mach_task_self(void)
{
	return UINT32_MAX; /* never the name of an object: its index is past the last */
}
