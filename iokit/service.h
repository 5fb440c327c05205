/* SPDX-License-Identifier: BSD-3-Clause */
/* Services published in this process, as the rest of the runtime sees them. */
#ifndef IOKIT_SERVICE_H
#define IOKIT_SERVICE_H

#include "iokit/wire.h"

#include <iokit-user/service.h>

/* What the registry knows of a service, here or elsewhere. */
struct iou_entry_info {
	uint64_t entry_id;
	char name[IOU_NAME_MAX];
	char user_class[IOU_NAME_MAX];
	char properties[IOU_PROPERTIES_MAX]; /* as in struct iou_entry */
};

/*
 * The value of a property, or NULL. The table is read within its bounds, whatever
 * stands in it.
 */
const char *iou_property(const char properties[IOU_PROPERTIES_MAX], const char *key);

/* A user client of a service. */
struct iou_user_client {
	const struct iouser_class *class;
	void *client;
	struct iouser_service *service;
};

/* Whether this process publishes, or has published, services. */
bool iou_services_published(void);
/*
 * The services there are, in order of publication: an array to be freed, and its
 * length; NULL with 0 for none, or without memory.
 */
struct iou_entry_info *iou_services_list(size_t *count);

/*
 * An eventfd, non-blocking, that becomes readable whenever a service is published or
 * terminated; -1 without descriptors or memory. iou_services_unwatch() before closing it.
 */
int iou_services_watch(void);
void iou_services_unwatch(int fd);

/*
 * Open a user client on a service: kIOReturnNotAttached when it is not, or no
 * longer, published; else what the driver answers. The service stays until
 * iou_user_client_close().
 */
kern_return_t iou_user_client_open(
	uint64_t entry_id, uint32_t type, struct iouser_peer *peer, struct iou_user_client *client);
void iou_user_client_close(struct iou_user_client *client);

/*
 * Have the driver carry out a call. The output buffers hold zeroes beyond what the driver wrote,
 * and the counts are those of a call that succeeded, within the room: else they are 0. A driver
 * that counts more than there is room for gets its call failed with kIOReturnInternalError.
 */
kern_return_t iou_user_client_call(
	const struct iou_user_client *client, struct iouser_arguments *arguments);

#endif
