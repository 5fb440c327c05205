/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may have how many connections at a time. There are limits for a process, for a user
 * and for all users together; the service's own user and root have some places to
 * themselves. A connection that has said nothing makes room for one that comes later.
 */
#ifndef IOKIT_PLACES_H
#define IOKIT_PLACES_H

#include <IOKit/IOReturn.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

/* One connection. Zeroed until it is filled in and added. */
struct iou_place {
	TAILQ_ENTRY(iou_place) link;
	uid_t uid;
	pid_t pid;	 /* 0: of a PID namespace out of sight; such are told apart by user */
	bool privileged; /* the service's own user, or root */
	bool greeted;	 /* it has said something */
};

struct iou_places {
	TAILQ_HEAD(iou_place_list, iou_place) all; /* the oldest first */
	unsigned per_process, per_user;
	unsigned total, reserved; /* reserved: of the total, for privileged ones */
};

/*
 * Whether @newcomer, which has not been added, may have a place: kIOReturnSuccess, or
 * kIOReturnNoResources. On success *leaves is NULL, or one that has not greeted and is to be
 * removed first: the oldest of those whom the same limit concerns.
 */
kern_return_t iou_places_find(const struct iou_places *places, const struct iou_place *newcomer,
	struct iou_place **leaves);

#endif
