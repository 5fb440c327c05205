/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VFIO_USER_SERVE_H
#define VFIO_USER_SERVE_H

#include "vfio-user/device.h"
#include "vfio-user/loop.h"

/**
 * vu_serve_client - execute a client's commands until it disconnects or the server is to stop
 * @fd: its socket, stays the caller's
 * @loop: where to wait
 *
 * The first command must be VERSION. A command that fails is answered with an error and has no
 * effect; the connection is closed when the position of the next message is unknown.
 *
 * While the device is disconnected, commands that need it fail with ENODEV. Memory and
 * eventfds are still accepted; the device gets them when it is back.
 */
void vu_serve_client(struct vu_device *device, int fd, struct vu_loop *loop);

#endif
