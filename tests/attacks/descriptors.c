/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/attacks/descriptors.h"
#include "tests/lib/send-fds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void wake_up(int number)
{
	(void)number;
}

void close_sent(int fd)
{
	/* Without SA_RESTART: the signal interrupts the wait for unsent data. */
	const struct sigaction action = { .sa_handler = wake_up };
	const struct itimerval soon = { .it_value = { .tv_usec = 100000 } },
			       never = { { 0, 0 }, { 0, 0 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	close(fd);
	setitimer(ITIMER_REAL, &never, NULL);
}

static void fill(int fd)
{
	static const char bytes[4096];
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	fcntl(fd, F_SETFL, flags);
}

/* A connection over the loopback interface. @peer: the other end, with a small window. */
static int connect_tcp(int *peer)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), room = 2048, fd;
	socklen_t size = sizeof(address);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0 ||
		getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
		connect(fd, (struct sockaddr *)&address, size) != 0)
		return -1;
	*peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return *peer >= 0 ? fd : -1;
}

int make_lingering(void)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 3600 };
	int peer, fd = connect_tcp(&peer);

	if (fd < 0)
		return -1;
	/* The peer's window closes while its process lives; then the connection is reset. */
	fill(fd);
	poll(NULL, 0, 5);
	fill(fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	return fd;
}

static int make_stuffed(int type)
{
	int ends[2], inside = make_lingering();

	if (inside < 0 || socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	send_fds(ends[1], "", 1, &inside, 1);
	close(inside);
	return ends[0];
}

int make_stuffed_port(void)
{
	return make_stuffed(SOCK_SEQPACKET);
}

static int make_stuffed_stream(void)
{
	return make_stuffed(SOCK_STREAM);
}

int make_full_eventfd(void)
{
	uint64_t all = UINT64_MAX - 1;
	int fd = eventfd(0, EFD_CLOEXEC);

	return write(fd, &all, sizeof(all)) == sizeof(all) ? fd : -1;
}

static int make_full_pipe(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	fill(ends[1]);
	return ends[1];
}

static int make_full_port(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	fill(ends[0]);
	return ends[0];
}

int make_sparse_file(off_t size)
{
	int fd = memfd_create("sparse", MFD_CLOEXEC);

	return fd >= 0 && ftruncate(fd, size) == 0 ? fd : -1;
}

static int make_huge(void)
{
	return make_sparse_file((off_t)1 << 40);
}

static int make_path(void)
{
	return open("/", O_PATH | O_CLOEXEC);
}

static int make_folder(void)
{
	return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_epoll(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static int make_terminal(void)
{
	return posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
}

const struct descriptor_kind descriptor_kinds[] = {
	{ "a lingering connection", make_lingering },
	{ "a port with a lingering connection inside", make_stuffed_port },
	{ "a stream with a lingering connection inside", make_stuffed_stream },
	{ "a full eventfd", make_full_eventfd },
	{ "a full pipe", make_full_pipe },
	{ "a full port", make_full_port },
	{ "a sparse file of 1 TiB", make_huge },
	{ "a path", make_path },
	{ "a folder", make_folder },
	{ "an epoll instance", make_epoll },
	{ "a terminal", make_terminal },
};
const size_t descriptor_kind_count = sizeof(descriptor_kinds) / sizeof(descriptor_kinds[0]);
