/* SPDX-License-Identifier: BSD-3-Clause */
/* Services published in this process. */
#ifndef IOKIT_SERVICE_H
#define IOKIT_SERVICE_H

#include "iokit/wire.h"

#include <iokit-user/service.h>

/* The registry entry of a service, in this process or another. */
struct iou_entry_info {
	uint64_t entry_id;
	char name[IOU_NAME_MAX];
	char user_class[IOU_NAME_MAX];
	char properties[IOU_PROPERTIES_MAX]; /* as in struct iou_entry */
};

/*
 * The value of a property, or NULL. The table may come from another process: its format is
 * checked.
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
 * List the services in order of publication: an array for free(); NULL and 0 for none, or when
 * memory is out.
 */
struct iou_entry_info *iou_services_list(size_t *count);

/*
 * An eventfd, non-blocking, that becomes readable whenever a service is published or
 * terminated; -1 without descriptors or memory. iou_services_unwatch() before closing it.
 */
int iou_services_watch(void);
void iou_services_unwatch(int fd);

/*
 * Open a user client on a service: kIOReturnOffline when it is not published; else the
 * driver's status. The service is not freed before iou_user_client_close().
 */
kern_return_t iou_user_client_open(
	uint64_t entry_id, uint32_t type, struct iouser_peer *peer, struct iou_user_client *client);
void iou_user_client_close(struct iou_user_client *client);

/*
 * Call the driver. The output buffers are zeroed before. After a failure the output counts are 0.
 * kIOReturnInternalError when the driver returns counts that exceed the room.
 */
kern_return_t iou_user_client_call(
	const struct iou_user_client *client, struct iouser_arguments *arguments);

#endif
