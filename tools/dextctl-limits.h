/* SPDX-License-Identifier: BSD-3-Clause */
/* What an IOMMU can map, as text and as JSON. */
#ifndef TOOLS_DEXTCTL_LIMITS_H
#define TOOLS_DEXTCTL_LIMITS_H

#include <apple-dext-client.h>

#define LIMITS_TEXT_SIZE 128

/** limits_kind - "identity", "dart", or "unknown". */
const char *limits_kind(const AppleDextDMALimits *limits);
/** limits_exist - whether there is any. */
bool limits_exist(const AppleDextDMALimits *limits);
/** limits_use - "12M of 1536M, 3 of 65536 mappings". Return: @text. */
const char *limits_use(const AppleDextDMALimits *limits, char text[LIMITS_TEXT_SIZE]);

struct json_object;
/** limits_put - put it under the key "limits"; null where @limits is NULL. */
void limits_put(struct json_object *object, const AppleDextDMALimits *limits);

#endif
