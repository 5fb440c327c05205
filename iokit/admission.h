/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is at the other end of a socket, as the kernel says, and whether that one is served. */
#ifndef IOKIT_ADMISSION_H
#define IOKIT_ADMISSION_H

#include <iokit-user/service.h>
#include <sys/socket.h>

/*
 * Whether the options allow whoever connected: this process's own user, root, and those
 * they list. *peer is set to who it is: the process is 0 when it is of a PID namespace out
 * of sight, the user -1 when the system cannot tell.
 */
bool iou_peer_is_allowed(const struct iouser_server_options *options, int fd, struct ucred *peer);

/* Whether a user is this process's own, or root. */
bool iou_uid_is_privileged(uid_t uid);

/*
 * Answer the HELLO that lies in the socket of a peer that is not served with the reason.
 * Does not wait. A message that brings descriptors is not received, so that none of them
 * is closed here, and gets no answer.
 */
void iou_peer_refuse(int fd, kern_return_t why);

/*
 * The mode of the socket where the options leave it open: whoever they allow can connect.
 * Where these are others than the owner and the socket's group everybody can, and the check
 * above refuses who is not allowed.
 */
mode_t iou_socket_mode(const struct iouser_server_options *options);

/* The user who connected; (uid_t)-1 when the system cannot tell. */
uid_t iou_peer_uid(int fd);

/* The process that connected, as a pidfd; -1 when the system cannot tell. */
int iou_peer_process(int fd, pid_t pid);

#endif
