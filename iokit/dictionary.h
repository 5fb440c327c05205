/* SPDX-License-Identifier: BSD-3-Clause */
/* What the runtime needs of CoreFoundation besides its public header. */
#ifndef IOKIT_DICTIONARY_H
#define IOKIT_DICTIONARY_H

#include <CoreFoundation/CoreFoundation.h>

/* An empty dictionary, or NULL without memory. */
CFMutableDictionaryRef iou_dictionary_create(void);

#endif
