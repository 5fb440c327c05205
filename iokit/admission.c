/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/admission.h"

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

bool iou_peer_is_allowed(const struct iouser_server_options *options, int fd, pid_t *pid)
{
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);

	*pid = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return false;
	*pid = peer.pid;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	for (size_t i = 0; i < options->allowed_uid_count; i++)
		if (options->allowed_uids[i] == peer.uid)
			return true;
	return is_group_allowed(options, peer.gid) || is_any_group_allowed(options, fd);
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

	/* Of whoever connected, whatever has its number by now; older kernels know the number alone. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &size) == 0)
		return process;
	return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}
