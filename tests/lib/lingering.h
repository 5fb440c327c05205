/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors whose close() blocks, for tests that send them to a server. */
#ifndef TESTS_LIB_LINGERING_H
#define TESTS_LIB_LINGERING_H

#include "tests/lib/send-fds.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINGER_SECONDS 3600

static inline void lingering_needs(int holds, const char *what)
{
	if (holds)
		return;
	perror(what);
	abort();
}

/*
 * A connected TCP socket with data that its other end, *reader, does not read. Its last close()
 * blocks for LINGER_SECONDS, or until *reader is closed.
 */
static inline int lingering_socket(int *reader)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger linger = { .l_onoff = 1, .l_linger = LINGER_SECONDS };
	static const char data[65536];
	const int room = 4096; /* small, so that a test can have many */
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	lingering_needs(listener >= 0 && fd >= 0, "socket");
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	lingering_needs(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
				listen(listener, 1) == 0 &&
				getsockname(listener, (struct sockaddr *)&address, &length) == 0,
		"listen");
	lingering_needs(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	*reader = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	lingering_needs(*reader >= 0, "accept");
	close(listener);
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	lingering_needs(
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0, "linger");
	return fd;
}

/*
 * One of a pair of sockets, the other of which is closed, with @fd in its receive queue. Closes
 * @fd.
 */
static inline int socket_with_queued(int fd, int type)
{
	int ends[2];

	lingering_needs(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	lingering_needs(send_fds(ends[0], "x", 1, &fd, 1), "sendmsg");
	close(fd); /* the queue still refers to it: this close() does not block */
	close(ends[0]);
	return ends[1];
}

#endif
