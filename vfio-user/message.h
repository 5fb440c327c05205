/* SPDX-License-Identifier: BSD-3-Clause */
/* One message at a time over a stream socket, with its descriptors. */
#ifndef VFIO_USER_MESSAGE_H
#define VFIO_USER_MESSAGE_H

#include "vfio-user/protocol.h"

#include "common/fd-dispose.h"

#include <stdbool.h>

/* A socket, and how to wait for it. */
struct vu_channel {
	int fd;
	/*
	 * Returns true when the socket may have @events, false when the server is to stop. @again:
	 * the last call has returned true, and since then nothing has come.
	 */
	bool (*wait)(void *context, int fd, short events, bool again);
	void *context;
	/* The functions' own: the numbers of reads since the last wait, and of waits since data came. */
	unsigned received, waits;
	unsigned waits_first; /* likewise: for how many messages to wait before reading */
};

/* Messages up to this size are read by one system call, several together if they have come. */
#define VU_AHEAD_MAX 512

/*
 * A received message. The descriptors are the message's until a handler takes them, which it
 * does only with those whose kind it has checked: close() of any other may wait.
 */
struct vu_message {
	struct fd_peer *peer; /* the client, who pays for what is left over */
	struct vfio_user_header header;
	unsigned char *payload; /* room for VU_PAYLOAD_MAX bytes */
	size_t payload_size;
	int fds[VU_FDS_MAX]; /* -1 where one has been taken */
	size_t fd_count;
	bool fds_lost; /* more descriptors came than a message may have */
	/* What has been read and belongs to this message or the next ones, and its descriptors. */
	unsigned char ahead[VU_AHEAD_MAX];
	size_t ahead_at, ahead_end;
	int ahead_fds[VU_FDS_MAX];
	size_t ahead_fd_count;
	bool ahead_fds_lost;
};

enum vu_receive_status {
	VU_RECEIVE_OK,
	VU_RECEIVE_CLOSED,    /* the client has gone, between two messages */
	VU_RECEIVE_TRUNCATED, /* the client has gone in the midst of one, or the socket failed */
	VU_RECEIVE_BAD_SIZE,  /* the header's size cannot be: @header is set, the stream is lost */
	VU_RECEIVE_FD_LIMIT,  /* too many of the client's descriptors are still being closed */
	VU_RECEIVE_STOPPED,   /* the server is to stop */
};

/** vu_message_init - make room; @peer stays the caller's. Return: false without memory. */
bool vu_message_init(struct vu_message *message, struct fd_peer *peer);
/** vu_message_destroy - free the room and dispose of descriptors that are left. */
void vu_message_destroy(struct vu_message *message);

/**
 * vu_message_receive - wait for one whole message
 * @message: descriptors left over from the one before are disposed of
 *
 * Also when the client sends without a pause, it waits in vu_loop_wait() at intervals, so that
 * the server's other events are handled.
 */
enum vu_receive_status vu_message_receive(struct vu_channel *channel, struct vu_message *message);

/** vu_message_take_fd - take descriptor @index, checked, out of the message; the caller closes it. */
int vu_message_take_fd(struct vu_message *message, size_t index);

/** vu_message_dispose_fds - close the descriptors that were not taken, without waiting for it. */
void vu_message_dispose_fds(struct vu_message *message);

/**
 * vu_message_reply - answer a command
 * @request: its header
 * @error: an errno, or 0
 * @payload: of a successful reply; may be NULL when @size is 0
 * @size: in bytes
 * @fd: a descriptor to go with a successful reply, the caller's; -1 for none
 *
 * Return: false when the client has gone or the server is to stop.
 */
bool vu_message_reply(struct vu_channel *channel, const struct vfio_user_header *request, int error,
	const void *payload, size_t size, int fd);

#endif
