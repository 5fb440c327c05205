/* SPDX-License-Identifier: BSD-3-Clause */
/* What is Linux's own: flags that close a race on the way, and eventfds. */
#include "common/fd-kind.h"
#include "vfio-user/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
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

/*
 * write() to an eventfd waits as long as the counter is full, and poll() beforehand does not
 * rule that out: the VMM may fill it in between. O_NONBLOCK is no help, since the VMM can
 * clear it. The kernel itself signals an eventfd without waiting, and does so when an
 * asynchronous operation completes that names one (IOCB_FLAG_RESFD). The operation here is
 * a poll of a pipe that has room, which completes before io_submit() returns.
 */
#define SIGNALS_MAX 64 /* between two calls of io_getevents() */

static struct {
	pthread_once_t once;
	int error; /* why there is none; an errno or 0 */
	aio_context_t context;
	int pipe[2]; /* always empty */
	/* Room that one thread has made is not taken by another. Nobody waits while holding it. */
	pthread_mutex_t lock;
} signaller = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

static void make_signaller(void)
{
	if (vu_platform_pipe(signaller.pipe) != 0) {
		signaller.error = errno;
	} else if (syscall(SYS_io_setup, SIGNALS_MAX, &signaller.context) != 0) {
		signaller.error = errno;
		close(signaller.pipe[0]);
		close(signaller.pipe[1]);
	}
}

int vu_platform_prepare_events(void)
{
	pthread_once(&signaller.once, make_signaller);
	return signaller.error;
}

const char *vu_platform_event_problem(int fd, enum vu_event_use use)
{
	(void)use; /* an eventfd can be read and written */
	return fd_kind(fd) == FD_KIND_EVENT ? NULL : "no eventfd, expected one";
}

static bool submit(struct iocb *block)
{
	return syscall(SYS_io_submit, signaller.context, 1, &block) == 1;
}

void vu_platform_signal_event(int fd)
{
	struct iocb block = {
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = (uint32_t)signaller.pipe[1],
		.aio_buf = POLLOUT,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct io_event completions[SIGNALS_MAX];
	struct timespec no_time = { .tv_sec = 0 };

	pthread_mutex_lock(&signaller.lock);
	if (!submit(&block) && errno == EAGAIN) {
		/* Completions, which nobody needs, have used up the context's room. */
		syscall(SYS_io_getevents, signaller.context, 0, SIGNALS_MAX, completions, &no_time);
		submit(&block);
	}
	pthread_mutex_unlock(&signaller.lock);
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
