/* SPDX-License-Identifier: BSD-3-Clause */
/* A message with descriptors, for tests that act as a VMM. */
#ifndef TESTS_LIB_SEND_FDS_H
#define TESTS_LIB_SEND_FDS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define SEND_FDS_MAX 64

/*
 * Send all of @data. The descriptors, which stay open, are sent with its first byte. Return: false
 * when the peer has closed the socket.
 */
static inline bool send_fds(int socket, const void *data, size_t size, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		unsigned char space[CMSG_SPACE(SEND_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec vector = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	assert(count <= SEND_FDS_MAX);
	if (count > 0) {
		struct cmsghdr *header;

		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	while (vector.iov_len > 0) {
		ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		vector.iov_base = (unsigned char *)vector.iov_base + sent;
		vector.iov_len -= (size_t)sent;
		message.msg_controllen = 0;
	}
	return true;
}

#endif
