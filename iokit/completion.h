/* SPDX-License-Identifier: BSD-3-Clause */
/* Asynchronous calls, seen from the driver's side. */
#ifndef IOKIT_COMPLETION_H
#define IOKIT_COMPLETION_H

#include <iokit-user/service.h>

/*
 * A call that arrived with a port. @fd, the port's sending end, is taken over,
 * also on failure (NULL, without memory).
 */
struct iouser_completion *iou_completion_create(int fd, uint64_t token);
/* The call failed: its client expects nothing, and is sent nothing. NULL is fine. */
void iou_completion_refuse(struct iouser_completion *completion);

#endif
