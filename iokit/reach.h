/* SPDX-License-Identifier: BSD-3-Clause */
/* Why a thread could not reach the driver service. */
#ifndef IOKIT_REACH_H
#define IOKIT_REACH_H

/* Room for a line with a path of the longest kind. */
#define IOU_REACH_SIZE 512

/*
 * Note how the calling thread's attempt to connect ended: @error is 0 or a positive errno;
 * EPERM, EUSERS and EPROTO are the service's own refusals. @path is the socket's.
 */
void iou_reach_note(const char *path, int error);

#endif
