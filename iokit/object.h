/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The runtime's objects and their names. A program uses names (io_object_t); a name counts the
 * program's references. The object has a reference count of its own, for its users in the
 * runtime, one of which is the name.
 */
#ifndef IOKIT_OBJECT_H
#define IOKIT_OBJECT_H

#include <IOKit/IOKitLib.h>
#include <stdatomic.h>

enum iou_kind {
	IOU_ANY,
	IOU_SERVICE,
	IOU_ITERATOR,
	IOU_CONNECTION,
	IOU_PORT,
	IOU_WATCH_OBJECT, /* never named */
};

struct iou_object {
	enum iou_kind kind;
	atomic_uint references;
	void (*destroy)(struct iou_object *object);
};

/* Initialize an object with one reference. */
void iou_object_init(
	struct iou_object *object, enum iou_kind kind, void (*destroy)(struct iou_object *));
void iou_object_retain(struct iou_object *object);
void iou_object_release(struct iou_object *object);

/*
 * Create a name for an object. The caller's reference passes to the name. On failure
 * (IO_OBJECT_NULL: no memory, or 2^20 names in use) it is released.
 */
io_object_t iou_name_create(struct iou_object *object);
/* The object of a name, with a new reference; NULL when the name is unknown or not of @kind. */
void *iou_name_lookup(io_object_t name, enum iou_kind kind);
/* Add or drop a reference of the name; kIOReturnBadArgument when it is unknown or not of @kind. */
kern_return_t iou_name_retain(io_object_t name, enum iou_kind kind);
kern_return_t iou_name_release(io_object_t name, enum iou_kind kind);

#endif
