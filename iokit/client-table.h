/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections of a server, and the limits on their number: per process, per user, and in
 * all. Some connections are reserved for privileged users. A connection that has not sent
 * anything yet is evicted for a newer one.
 */
#ifndef IOKIT_CLIENT_TABLE_H
#define IOKIT_CLIENT_TABLE_H

#include <IOKit/IOReturn.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

/* One connection. */
struct iou_client_entry {
	TAILQ_ENTRY(iou_client_entry) link;
	uid_t uid;
	pid_t pid;	 /* 0: in a PID namespace that this process cannot see */
	bool privileged; /* of the service's own user, or root */
	bool greeted;	 /* it has sent its first message */
};

TAILQ_HEAD(iou_client_list, iou_client_entry);

struct iou_client_table {
	struct iou_client_list all; /* the oldest first */
	unsigned per_process, per_user;
	unsigned total, reserved; /* of the total, for privileged connections */
};

/*
 * Check the limits for @newcomer, which is not in the table yet: kIOReturnSuccess or
 * kIOReturnNoResources. On success *@evicted is NULL, or the connection to remove first: the
 * oldest one under the exceeded limit that has not greeted.
 */
kern_return_t iou_client_table_check(const struct iou_client_table *table,
	const struct iou_client_entry *newcomer, struct iou_client_entry **evicted);

#endif
