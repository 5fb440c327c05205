/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same in POSIX alone, for hosts that offer nothing better, and to test that nothing
 * else depends on it. Events are pipes, or whatever else behaves like one.
 *
 * What is lost: a descriptor is closed on exec a moment after it was made, which matters
 * to a program that runs others; and whether a pipe blocks is a property that a client
 * shares, so that one which keeps changing it back could hold up its own session.
 */
#include "vfio-user/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Hosts without it have an option of the socket instead. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static bool set_flag(int fd, int get, int set, int flag)
{
	int flags = fcntl(fd, get);

	return flags >= 0 && ((flags & flag) != 0 || fcntl(fd, set, flags | flag) == 0);
}

static bool close_on_exec(int fd)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC);
}

static bool do_not_block(int fd)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK);
}

static int close_keeping_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

int vu_platform_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd >= 0 && (!close_on_exec(fd) || !do_not_block(fd)))
		return close_keeping_errno(fd);
	return fd;
}

int vu_platform_pipe(int ends[2])
{
	if (pipe(ends) != 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		if (close_on_exec(ends[i]) && do_not_block(ends[i]))
			continue;
		close_keeping_errno(ends[0]);
		return close_keeping_errno(ends[1]);
	}
	return 0;
}

int vu_platform_accept(int fd)
{
	int client = accept(fd, NULL, NULL);

	if (client >= 0 && !close_on_exec(client))
		return close_keeping_errno(client);
	return client;
}

bool vu_platform_prepare(int fd)
{
#ifdef SO_NOSIGPIPE
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
	return do_not_block(fd);
}

static void close_received_on_exec(struct msghdr *message)
{
	struct cmsghdr *control;
	int fd;

	for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		size_t bytes = control->cmsg_len - CMSG_LEN(0);

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(fd) <= bytes; at += sizeof(fd)) {
			memcpy(&fd, CMSG_DATA(control) + at, sizeof(fd));
			close_on_exec(fd);
		}
	}
}

ssize_t vu_platform_receive(int fd, struct msghdr *message)
{
	ssize_t got = recvmsg(fd, message, 0);

	if (got >= 0)
		close_received_on_exec(message);
	return got;
}

/* The BSDs, macOS among them, put descriptors before the data in a socket's buffer. */
#ifdef __linux__
const bool vu_platform_fds_come_first = false;
#else
const bool vu_platform_fds_come_first = true;
#endif

ssize_t vu_platform_send(int fd, const struct msghdr *message)
{
	return sendmsg(fd, message, MSG_NOSIGNAL);
}

uid_t vu_platform_peer_user(int fd)
{
	(void)fd;
	return (uid_t)-1;
}

int vu_platform_prepare_events(void)
{
	return 0;
}

/*
 * A VMM may have what this program does without: such events have no type. A pipe has two ends, and
 * a VMM without eventfds must hand over the one that it does not use itself.
 */
const char *vu_platform_event_problem(int fd, enum vu_event_use use)
{
	struct stat status;
	int access;

	if (fstat(fd, &status) != 0 ||
		(!S_ISFIFO(status.st_mode) && (status.st_mode & S_IFMT) != 0))
		return "no pipe, expected one";
	access = fcntl(fd, F_GETFL) & O_ACCMODE;
	if (use == VU_EVENT_SIGNAL && access == O_RDONLY)
		return "the read end of a pipe, expected its write end";
	if (use == VU_EVENT_TAKE && access == O_WRONLY)
		return "the write end of a pipe, expected its read end";
	return NULL;
}

/* A pipe without a reader raises SIGPIPE, which is this thread's and taken back at once. */
static void write_quietly(int fd, const void *data, size_t size)
{
	sigset_t broken, pending, before;
	int signal;

	sigemptyset(&broken);
	sigaddset(&broken, SIGPIPE);
	sigemptyset(&pending);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &broken, &before);
	if (write(fd, data, size) < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE)) {
		sigpending(&pending);
		if (sigismember(&pending, SIGPIPE))
			sigwait(&broken, &signal);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* As many bytes as an eventfd wants, so that either will do. */
void vu_platform_signal_event(int fd)
{
	const uint64_t one = 1;

	if (do_not_block(fd))
		write_quietly(fd, &one, sizeof(one));
}

int vu_platform_take_event(int fd)
{
	unsigned char signals[512];
	ssize_t got = do_not_block(fd) ? read(fd, signals, sizeof(signals)) : -1;

	if (got > 0)
		return 1;
	return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}
