/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is at the other end of a socket, as the kernel says, and whether that one is served. */
#ifndef IOKIT_ADMISSION_H
#define IOKIT_ADMISSION_H

#include <iokit-user/service.h>

/*
 * Whether the options allow whoever connected: this process's own user, root, and those
 * they list. *pid is set to the process, 0 when it is of a PID namespace out of sight.
 */
bool iou_peer_is_allowed(const struct iouser_server_options *options, int fd, pid_t *pid);

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
