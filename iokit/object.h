/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The runtime's objects and their names. A name (io_object_t) is what a program
 * holds; it stands for one object and counts the program's references to it. The
 * object itself lives on while anybody in the runtime still uses it.
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

/* Begin an object's life with one reference. */
void iou_object_init(
	struct iou_object *object, enum iou_kind kind, void (*destroy)(struct iou_object *));
void iou_object_retain(struct iou_object *object);
void iou_object_release(struct iou_object *object);

/*
 * Give an object a name. The name takes the caller's reference over, also on
 * failure, when IO_OBJECT_NULL comes back (no memory, or 2^20 names in use).
 */
io_object_t iou_name_create(struct iou_object *object);
/* The object behind a name, with a reference of its own, or NULL when it is not of @kind. */
void *iou_name_lookup(io_object_t name, enum iou_kind kind);
/* One reference more or less to the name; kIOReturnBadArgument when there is no such name of @kind. */
kern_return_t iou_name_retain(io_object_t name, enum iou_kind kind);
kern_return_t iou_name_release(io_object_t name, enum iou_kind kind);

#endif
