/* SPDX-License-Identifier: BSD-3-Clause */
/* Reaching the driver service. */
#ifndef IOKIT_SOCKET_H
#define IOKIT_SOCKET_H

#include <stdint.h>
#include <sys/un.h>

/* How long the service may take to answer a call; resets take their time. */
#define IOU_CALL_TIMEOUT_MS 30000
/* How long it may take to accept a connection and to say what version it speaks. */
#define IOU_HELLO_TIMEOUT_MS 5000

/* Fill in the address of a path: 0, or -ENAMETOOLONG. */
int iou_socket_address(const char *path, struct sockaddr_un *address);

/*
 * Connect to the driver service and agree on a version, whose minor number goes to @minor
 * (NULL: not wanted). Returns the socket, or a
 * negative errno: -EPROTO when it speaks something else, -EPERM or -EUSERS when it
 * refuses. IOUserServiceStatus() then says why.
 */
int iou_socket_connect(uint16_t *minor);

#endif
