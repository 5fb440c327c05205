/* SPDX-License-Identifier: BSD-3-Clause */
/* Connecting to the driver service. */
#ifndef IOKIT_SERVICE_SOCKET_H
#define IOKIT_SERVICE_SOCKET_H

#include <stdint.h>

/* How long the service may take to answer a call, a reset included. */
#define IOU_CALL_TIMEOUT_MS 30000
/* How long it may take to accept a connection and to send its version. */
#define IOU_HELLO_TIMEOUT_MS 5000

/*
 * Connect to the driver service and agree on a version, whose minor number goes to
 * *@minor (may be NULL). Returns the socket, or a
 * negative errno: -EPROTO for another protocol or version, -EPERM or -EUSERS when the
 * service refuses. IOUserServiceStatus() returns the reason.
 */
int iou_socket_connect(uint16_t *minor);

#endif
