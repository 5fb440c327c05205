/* SPDX-License-Identifier: BSD-3-Clause */
/* Iterators over services: of a look-up, whose entries stand, or of a notification, which gets more. */
#ifndef IOKIT_ITERATOR_H
#define IOKIT_ITERATOR_H

#include "iokit/object.h"
#include "iokit/service.h"

#include <stdbool.h>

struct iou_iterator;

/*
 * An empty iterator, or NULL without memory. Where @ended is set it is called when the
 * iterator goes, and what IOIteratorNext() has given out is not kept.
 */
struct iou_iterator *iou_iterator_create(void (*ended)(void *context), void *context);
struct iou_object *iou_iterator_object(struct iou_iterator *iterator);
/* Add a service; false without memory. */
bool iou_iterator_add(struct iou_iterator *iterator, const struct iou_entry_info *info);
/*
 * Whether IOIteratorNext() has come to the end since the last time that this returned
 * true: only then has its owner asked for the next notification.
 */
bool iou_iterator_take_drained(struct iou_iterator *iterator);

#endif
