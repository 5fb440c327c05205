/* SPDX-License-Identifier: BSD-3-Clause */
/* What is Linux's own: flags that close a race on the way, and eventfds. */
#include "common/eventfd-signal.h"
#include "common/fd-kind.h"
#include "vfio-user/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

int vu_platform_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int vu_platform_pipe(int ends[2])
{
	return pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

int vu_platform_accept(int fd)
{
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

bool vu_platform_prepare(int fd)
{
	(void)fd;
	return true;
}

ssize_t vu_platform_receive(int fd, struct msghdr *message)
{
	return recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
}

const bool vu_platform_fds_come_first = false;

ssize_t vu_platform_send(int fd, const struct msghdr *message)
{
	return sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

uid_t vu_platform_peer_user(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.uid : (uid_t)-1;
}

int vu_platform_prepare_events(void)
{
	return eventfd_signal_prepare();
}

const char *vu_platform_event_problem(int fd, enum vu_event_use use)
{
	(void)use; /* an eventfd can be read and written */
	return fd_kind(fd) == FD_KIND_EVENT ? NULL : "no eventfd, expected one";
}

void vu_platform_signal_event(int fd)
{
	eventfd_signal(fd);
}

int vu_platform_take_event(int fd)
{
	uint64_t count;
	struct iovec vector = { .iov_base = &count, .iov_len = sizeof(count) };
	ssize_t got = preadv2(fd, &vector, 1, -1, RWF_NOWAIT);

	if (got == (ssize_t)sizeof(count))
		return 1;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}
