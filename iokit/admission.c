/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/admission.h"
#include "iokit/wire.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static bool is_group_allowed(const struct iouser_server_options *options, gid_t group)
{
	for (size_t i = 0; i < options->allowed_gid_count; i++)
		if (options->allowed_gids[i] == group)
			return true;
	return false;
}

/* Whether one of the supplementary groups that the client connected with is allowed. */
static bool is_any_group_allowed(const struct iouser_server_options *options, int fd)
{
	gid_t groups[256];
	socklen_t size = sizeof(groups);

	if (!options->allowed_gid_count ||
		getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
		return false;
	for (size_t i = 0; i < size / sizeof(groups[0]); i++)
		if (is_group_allowed(options, groups[i]))
			return true;
	return false;
}

bool iou_uid_is_privileged(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

bool iou_peer_is_allowed(const struct iouser_server_options *options, int fd, struct ucred *peer)
{
	socklen_t size = sizeof(*peer);

	*peer = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) != 0)
		return false;
	if (iou_uid_is_privileged(peer->uid))
		return true;
	for (size_t i = 0; i < options->allowed_uid_count; i++)
		if (options->allowed_uids[i] == peer->uid)
			return true;
	return is_group_allowed(options, peer->gid) || is_any_group_allowed(options, fd);
}

void iou_peer_refuse(int fd, kern_return_t why)
{
	struct iou_hello hello = { .header = { .type = IOU_HELLO | IOU_REPLY, .status = why },
		.magic = IOU_MAGIC,
		.major = IOU_VERSION_MAJOR,
		.minor = IOU_VERSION_MINOR };
	struct iou_hello request;
	struct iovec iov = { .iov_base = &request, .iov_len = sizeof(request) };
	/* No control buffer: MSG_CTRUNC tells whether there are descriptors. */
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t size = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);

	if (size < (ssize_t)sizeof(request.header) || (message.msg_flags & MSG_CTRUNC))
		return;
	/* Receive the same message: with it in the queue, close() would reset the connection. */
	if (recv(fd, &request, sizeof(request), MSG_DONTWAIT) != size)
		return;
	hello.header.id = request.header.id;
	iou_send(fd, &hello, sizeof(hello), NULL, 0, 0);
}

mode_t iou_socket_mode(const struct iouser_server_options *options)
{
	if (options->mode)
		return options->mode;
	if (options->allowed_uid_count)
		return 0666;
	for (size_t i = 0; i < options->allowed_gid_count; i++)
		if (options->allowed_gids[i] != options->group)
			return 0666;
	return options->group == (gid_t)-1 ? 0600 : 0660;
}

uid_t iou_peer_uid(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.uid : (uid_t)-1;
}

int iou_peer_process(int fd, pid_t pid)
{
	int process;
	socklen_t size = sizeof(process);

	/* SO_PEERPIDFD (Linux 6.5) is safe against reuse of the PID. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &size) == 0)
		return process;
	return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}
