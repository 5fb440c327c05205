/* SPDX-License-Identifier: BSD-3-Clause */
/* The credentials of the process at the other end of a socket, and whether it is allowed. */
#ifndef IOKIT_ADMISSION_H
#define IOKIT_ADMISSION_H

#include <iokit-user/service.h>
#include <sys/socket.h>

/*
 * Whether the peer is allowed: this process's user, root, and those listed in the options.
 * *@peer is set to its credentials; the PID is 0 for a process in a PID namespace that is not
 * visible, the user -1 when unknown.
 */
bool iou_peer_is_allowed(const struct iouser_server_options *options, int fd, struct ucred *peer);

/* Whether a user is this process's own, or root. */
bool iou_uid_is_privileged(uid_t uid);

/*
 * Reply to the HELLO of a refused peer with the reason @why. Does not block. A message with
 * descriptors is not received, so that they are not closed here, and gets no reply.
 */
void iou_peer_refuse(int fd, kern_return_t why);

/*
 * The mode of the socket: as in the options, else one with which all allowed clients can connect.
 * If these are more than the owner and the socket's group that is 0666, and others are refused by
 * the check above.
 */
mode_t iou_socket_mode(const struct iouser_server_options *options);

/* The user of the peer; (uid_t)-1 when unknown. */
uid_t iou_peer_uid(int fd);

/* A pidfd of the process that connected; -1 when unknown. */
int iou_peer_process(int fd, pid_t pid);

#endif
