/* SPDX-License-Identifier: BSD-3-Clause */
/* What is Linux's own: flags that close a race on the way, and eventfds. */
#include "vfio-user/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
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

ssize_t vu_platform_send(int fd, const struct msghdr *message)
{
	return sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool vu_platform_is_memory(int fd, uint64_t *size)
{
	struct stat status;

	if (fstat(fd, &status) != 0 || status.st_size < 0)
		return false;
	*size = (uint64_t)status.st_size;
	return S_ISREG(status.st_mode);
}

/* Files without a type are the kernel's anonymous ones, of which eventfd is one. */
bool vu_platform_is_event(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == 0;
}

/*
 * The descriptor's O_NONBLOCK belongs to the VMM too, which may read it
 * blocking; so room is asked for first. A write of 1 waits on a full counter
 * alone.
 */
void vu_platform_signal_event(int fd)
{
	const uint64_t one = 1;
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	ssize_t written;

	if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0)
		return;
	do {
		written = write(fd, &one, sizeof(one));
	} while (written < 0 && errno == EINTR);
}

int vu_platform_take_event(int fd)
{
	uint64_t count;
	struct iovec vector = {.iov_base = &count, .iov_len = sizeof(count)};
	ssize_t got = preadv2(fd, &vector, 1, -1, RWF_NOWAIT);

	if (got == (ssize_t)sizeof(count))
		return 1;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}
