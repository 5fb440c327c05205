/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t iou_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void iou_fds_close(struct iou_fds *fds)
{
	for (size_t i = 0; i < fds->count; i++)
		fd_dispose(fds->fd[i], fds->peer);
	fds->count = 0;
}

int iou_fds_take(struct iou_fds *fds, size_t index)
{
	int fd;

	if (index >= fds->count)
		return -1;
	fd = fds->fd[index];
	fds->fd[index] = -1;
	return fd;
}

/* Wait until @fd is ready for @events: 0, or a negative errno. */
static int wait_ready(int fd, short events, int timeout_ms)
{
	struct pollfd polled = { .fd = fd, .events = events };
	int ready;

	do
		ready = poll(&polled, 1, timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return -errno;
	return ready ? 0 : -ETIMEDOUT;
}

/*
 * The kernel's limit of descriptors in one message (SCM_MAX_FD). recvmsg() itself would close
 * those that do not fit the buffer, which can block.
 */
#define FDS_SENDABLE_MAX 253

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * FDS_SENDABLE_MAX)];
};

static void attach_fds(struct msghdr *message, union control *control, const int *fds, size_t count)
{
	struct cmsghdr *header;

	if (!count)
		return;
	memset(control, 0, CMSG_SPACE(sizeof(int) * count));
	message->msg_control = control->space;
	message->msg_controllen = CMSG_SPACE(sizeof(int) * count);
	header = CMSG_FIRSTHDR(message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
}

int iou_send(int fd, void *message, size_t size, const int *fds, size_t fd_count, int timeout_ms)
{
	struct iovec iov = { .iov_base = message, .iov_len = size };
	struct msghdr out = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	int status;

	((struct iou_header *)message)->size = (uint32_t)size;
	attach_fds(&out, &control, fds, fd_count);
	for (;;) {
		if (sendmsg(fd, &out, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		status = wait_ready(fd, POLLOUT, timeout_ms);
		if (status < 0)
			return status;
	}
}

/* Store the received descriptors; false when there are more than IOU_FDS_MAX. */
static bool collect_fds(struct msghdr *message, struct iou_fds *fds)
{
	struct cmsghdr *header;
	bool fit = true;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		const unsigned char *data = CMSG_DATA(header);
		size_t count;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (fds->peer)
			fd_peer_charge(fds->peer, (unsigned)count);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
			if (fds->count < IOU_FDS_MAX)
				fds->fd[fds->count++] = fd;
			else
				fd_dispose(fd, fds->peer);
			fit = fit && i < IOU_FDS_MAX;
		}
	}
	return fit;
}

int iou_receive_from(
	struct fd_peer *peer, int fd, union iou_buffer *buffer, struct iou_fds *fds, int timeout_ms)
{
	struct iovec iov = { .iov_base = buffer, .iov_len = sizeof(*buffer) };
	union control control;
	struct msghdr in = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	ssize_t size;
	int status;
	bool fit;

	fds->count = 0;
	fds->lost = false;
	fds->peer = peer;
	for (;;) {
		size = recvmsg(fd, &in, MSG_CMSG_CLOEXEC | (timeout_ms < 0 ? 0 : MSG_DONTWAIT));
		if (size >= 0)
			break;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		status = wait_ready(fd, POLLIN, timeout_ms);
		if (status < 0)
			return status;
	}
	fit = collect_fds(&in, fds);
	if (size == 0 && !fds->count)
		return 0;
	if (!fit || (size_t)size < sizeof(buffer->header) || (in.msg_flags & MSG_TRUNC) ||
		buffer->header.size != (size_t)size) {
		iou_fds_close(fds);
		return -EPROTO;
	}
	/* The buffer is large enough, so this process is out of descriptors. */
	fds->lost = (in.msg_flags & MSG_CTRUNC) || (peer && fds->count && fd_peer_is_full(peer));
	if (fds->lost)
		iou_fds_close(fds);
	return (int)size;
}

int iou_receive(int fd, union iou_buffer *buffer, struct iou_fds *fds, int timeout_ms)
{
	return iou_receive_from(NULL, fd, buffer, fds, timeout_ms);
}
