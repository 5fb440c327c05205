/* SPDX-License-Identifier: BSD-3-Clause */
/* The registry: services and iterators over them. */
#ifndef IOKIT_REGISTRY_H
#define IOKIT_REGISTRY_H

#include "iokit/service.h"

#include <IOKit/IOKitLib.h>
#include <stdbool.h>

/* Whether a service matches a matching dictionary. */
bool iou_service_matches(CFDictionaryRef matching, const struct iou_entry_info *info);
/* The services of this process, or of the driver service: an array for free(), NULL for none. */
struct iou_entry_info *iou_registry_list(size_t *count);

struct iou_iterator;

/*
 * An empty iterator, or NULL without memory. @ended is NULL for the iterator of a look-up. For
 * the iterator of a notification it is called when the iterator is freed, and entries are dropped
 * once IOIteratorNext() has returned them all.
 */
struct iou_iterator *iou_iterator_create(void (*ended)(void *context), void *context);
struct iou_object *iou_iterator_object(struct iou_iterator *iterator);
/* Add a service; false without memory. */
bool iou_iterator_add(struct iou_iterator *iterator, const struct iou_entry_info *info);
/*
 * Whether IOIteratorNext() has returned IO_OBJECT_NULL since the last call of this that returned
 * true, which arms the notification for its next callback.
 */
bool iou_iterator_take_drained(struct iou_iterator *iterator);

#endif
