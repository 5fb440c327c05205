/* SPDX-License-Identifier: BSD-3-Clause */
/* The registry, as notifications need it. */
#ifndef IOKIT_REGISTRY_H
#define IOKIT_REGISTRY_H

#include "iokit/service.h"

#include <IOKit/IOKitLib.h>

/* A new name for a service: one reference, or IO_OBJECT_NULL. */
io_object_t iou_service_name(const struct iou_entry_info *info);
/* Whether a service is what a matching dictionary describes. */
bool iou_service_matches(CFDictionaryRef matching, const struct iou_entry_info *info);
/* The services of this process, or of the driver service: an array for free(), NULL for none. */
struct iou_entry_info *iou_registry_list(size_t *count);

#endif
