/* SPDX-License-Identifier: BSD-3-Clause */
/* One client's connection to this driver service. */
#ifndef IOKIT_SESSION_H
#define IOKIT_SESSION_H

#include "common/fd-dispose.h"

/*
 * Serve a client until it disconnects or violates the protocol, then release its resources.
 * The caller closes @fd; shutdown() on it, from another thread, ends the session.
 * @charged: for the descriptors that the client sends, and the caller's; NULL: they are closed
 * on this thread (for tests)
 */
void iou_session_run(int fd, struct fd_peer *charged);

#endif
