/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/message.h"
#include "vfio-user/platform.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/*
 * Room for as many descriptors as Linux sends at a time (SCM_MAX_FD). Those that find no room
 * are closed within recvmsg(), which waits until they are.
 */
#define FDS_AT_A_TIME 253
/* How often the socket is read without a wait; a message takes at least a part of one read. */
#define RECEIVED_MAX 8
/*
 * After a read that found nothing, the wait comes before the read for so many messages: a client that
 * waits for its replies has not sent the next message yet, unless it runs on the same CPU and has been
 * switched to when the reply was sent. A read in vain, or a wait in vain, is a system call.
 */
#define WAITS_FIRST 16

bool vu_message_init(struct vu_message *message, struct fd_peer *peer)
{
	memset(message, 0, sizeof(*message));
	message->peer = peer;
	message->payload = malloc(VU_PAYLOAD_MAX);
	return message->payload != NULL;
}

int vu_message_take_fd(struct vu_message *message, size_t index)
{
	int fd = message->fds[index];

	message->fds[index] = -1;
	return fd;
}

static void dispose(const struct vu_message *message, int fd)
{
	fd_peer_charge(message->peer, 1);
	fd_dispose(fd, message->peer);
}

void vu_message_dispose_fds(struct vu_message *message)
{
	for (size_t i = 0; i < message->fd_count; i++)
		if (message->fds[i] >= 0)
			dispose(message, message->fds[i]);
	message->fd_count = 0;
	message->fds_lost = false;
}

static void keep_fd(struct vu_message *message, int fd)
{
	if (message->ahead_fd_count < VU_FDS_MAX) {
		message->ahead_fds[message->ahead_fd_count++] = fd;
		return;
	}
	dispose(message, fd);
	message->ahead_fds_lost = true;
}

static void keep_descriptors(struct vu_message *message, struct msghdr *received)
{
	struct cmsghdr *control;
	int fd;

	if ((received->msg_flags & MSG_CTRUNC) != 0)
		message->ahead_fds_lost = true;
	for (control = CMSG_FIRSTHDR(received); control; control = CMSG_NXTHDR(received, control)) {
		size_t bytes = control->cmsg_len - CMSG_LEN(0);

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(fd) <= bytes; at += sizeof(fd)) {
			memcpy(&fd, CMSG_DATA(control) + at, sizeof(fd));
			keep_fd(message, fd);
		}
	}
}

/* The descriptors that were read ahead belong to this message. */
static void take_descriptors(struct vu_message *message)
{
	for (size_t i = 0; i < message->ahead_fd_count; i++) {
		if (message->fd_count < VU_FDS_MAX) {
			message->fds[message->fd_count++] = message->ahead_fds[i];
			continue;
		}
		dispose(message, message->ahead_fds[i]);
		message->fds_lost = true;
	}
	message->fds_lost = message->fds_lost || message->ahead_fds_lost;
	message->ahead_fd_count = 0;
	message->ahead_fds_lost = false;
}

void vu_message_destroy(struct vu_message *message)
{
	take_descriptors(message);
	vu_message_dispose_fds(message);
	free(message->payload);
	message->payload = NULL;
}

static ssize_t receive_some(
	struct vu_channel *channel, struct vu_message *message, void *data, size_t size)
{
	union {
		struct cmsghdr align;
		unsigned char space[CMSG_SPACE(FDS_AT_A_TIME * sizeof(int))];
	} control;
	struct iovec vector = { .iov_base = data, .iov_len = size };
	struct msghdr header = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = vu_platform_receive(channel->fd, &header);

	if (got >= 0)
		keep_descriptors(message, &header);
	return got;
}

/* Return: false when the server is to stop. */
static bool wait_for_more(struct vu_channel *channel)
{
	channel->received = 0;
	return channel->wait(channel->context, channel->fd, POLLIN, channel->waits++ > 0);
}

/*
 * Take up to @size bytes of those that were read ahead. One recvmsg() reads on up to the data
 * that descriptors came with, and not beyond, or begins with it (vu_platform_fds_come_first): so
 * they belong to the message that takes the last byte, or the first.
 */
static size_t take_ahead(struct vu_message *message, void *data, size_t size)
{
	size_t left = message->ahead_end - message->ahead_at;
	size_t taken = size < left ? size : left;

	memcpy(data, message->ahead + message->ahead_at, taken);
	message->ahead_at += taken;
	if (message->ahead_at == message->ahead_end || vu_platform_fds_come_first)
		take_descriptors(message);
	return taken;
}

/*
 * Read without a wait: into @data if that is a large part of a message, else ahead. Return: as
 * recvmsg(); *@done: increased by the number of bytes in @data.
 */
static ssize_t read_some(struct vu_channel *channel, struct vu_message *message,
	unsigned char *data, size_t size, size_t *done)
{
	bool direct = size >= sizeof(message->ahead);
	ssize_t got =
		direct ? receive_some(channel, message, data, size) :
			 receive_some(channel, message, message->ahead, sizeof(message->ahead));

	if (got <= 0)
		return got;
	channel->waits = 0;
	if (direct) {
		take_descriptors(message);
		*done += (size_t)got;
	} else {
		message->ahead_at = 0;
		message->ahead_end = (size_t)got;
	}
	return got;
}

/* Exactly @size bytes. Descriptors may come with any of them. */
static enum vu_receive_status receive_all(
	struct vu_channel *channel, struct vu_message *message, unsigned char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got;

		if (message->ahead_at < message->ahead_end) {
			done += take_ahead(message, data + done, size - done);
			continue;
		}
		if (fd_peer_waiting(message->peer) > FD_PEER_WAITING_MAX)
			return VU_RECEIVE_FD_LIMIT;
		if (channel->received++ >= RECEIVED_MAX && !wait_for_more(channel))
			return VU_RECEIVE_STOPPED;
		got = read_some(channel, message, data + done, size - done, &done);
		if (got == 0)
			return done == 0 ? VU_RECEIVE_CLOSED : VU_RECEIVE_TRUNCATED;
		if (got > 0 || errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return VU_RECEIVE_TRUNCATED;
		channel->waits_first = WAITS_FIRST;
		if (!wait_for_more(channel))
			return VU_RECEIVE_STOPPED;
	}
	return VU_RECEIVE_OK;
}

enum vu_receive_status vu_message_receive(struct vu_channel *channel, struct vu_message *message)
{
	enum vu_receive_status result;

	vu_message_dispose_fds(message);
	message->payload_size = 0;
	if (message->ahead_at == message->ahead_end && channel->waits_first > 0) {
		channel->waits_first--;
		if (!wait_for_more(channel))
			return VU_RECEIVE_STOPPED;
	}
	result = receive_all(
		channel, message, (unsigned char *)&message->header, sizeof(message->header));
	if (result != VU_RECEIVE_OK)
		return result;
	if (message->header.size < sizeof(message->header) ||
		message->header.size - sizeof(message->header) > VU_PAYLOAD_MAX)
		return VU_RECEIVE_BAD_SIZE;
	message->payload_size = message->header.size - sizeof(message->header);
	if (message->payload_size == 0)
		return VU_RECEIVE_OK;
	result = receive_all(channel, message, message->payload, message->payload_size);
	return result == VU_RECEIVE_CLOSED ? VU_RECEIVE_TRUNCATED : result;
}

/* Skip @bytes that have been sent. */
static void advance(struct msghdr *message, size_t bytes)
{
	while (message->msg_iovlen > 0 && bytes >= message->msg_iov->iov_len) {
		bytes -= message->msg_iov->iov_len;
		message->msg_iov++;
		message->msg_iovlen--;
	}
	if (message->msg_iovlen > 0) {
		message->msg_iov->iov_base = (unsigned char *)message->msg_iov->iov_base + bytes;
		message->msg_iov->iov_len -= bytes;
	}
}

static bool send_all(struct vu_channel *channel, struct msghdr *message)
{
	while (message->msg_iovlen > 0) {
		ssize_t sent = vu_platform_send(channel->fd, message);

		if (sent >= 0) {
			advance(message, (size_t)sent);
			/* The descriptor has gone with the first byte. */
			message->msg_control = NULL;
			message->msg_controllen = 0;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (!channel->wait(channel->context, channel->fd, POLLOUT, false))
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

union one_descriptor {
	struct cmsghdr align;
	unsigned char space[CMSG_SPACE(sizeof(int))];
};

static void attach(struct msghdr *message, union one_descriptor *control, int fd)
{
	struct cmsghdr *header;

	memset(control, 0, sizeof(*control));
	message->msg_control = control;
	message->msg_controllen = sizeof(control->space);
	header = CMSG_FIRSTHDR(message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

bool vu_message_reply(struct vu_channel *channel, const struct vfio_user_header *request, int error,
	const void *payload, size_t size, int fd)
{
	struct vfio_user_header header = {
		.id = request->id,
		.command = request->command,
		.flags = VFIO_USER_TYPE_REPLY | (error != 0 ? VFIO_USER_ERROR : 0),
		.error = (uint32_t)error,
	};
	struct iovec vectors[2] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)(uintptr_t)payload, .iov_len = error != 0 ? 0 : size },
	};
	struct msghdr message = { .msg_iov = vectors, .msg_iovlen = 2 };
	union one_descriptor control;

	if (fd >= 0 && error == 0)
		attach(&message, &control, fd);
	header.size = (uint32_t)(sizeof(header) + vectors[1].iov_len);
	return send_all(channel, &message);
}
