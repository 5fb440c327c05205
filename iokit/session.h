/* SPDX-License-Identifier: BSD-3-Clause */
/* One client's connection to this driver service. */
#ifndef IOKIT_SESSION_H
#define IOKIT_SESSION_H

#include "common/fd-dispose.h"

#include <IOKit/IOReturn.h>

/*
 * Serve a client until it goes or breaks the protocol, then drop all that it held.
 * @fd stays the caller's; shutdown() on it, from another thread, ends the session.
 * @charged: for the descriptors that the client sends, and the caller's; NULL: they are closed
 * on this thread (for tests)
 */
void iou_session_run(int fd, struct fd_peer *charged);
/* Tell a client why it is not served, in answer to its HELLO, and be done with it. */
void iou_session_refuse(int fd, struct fd_peer *charged, kern_return_t why);

#endif
