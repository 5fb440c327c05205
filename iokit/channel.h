/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The call channel: a slot of shared memory beside a connection's socket, through which calls
 * go without a system call while the service's thread polls it.
 *
 * A side that sleeps waits for the socket: a service that does not poll is called by a message, and
 * a client that has stopped spinning gets its reply by a message. So the death of either is
 * noticed as without a channel, and a process that writes nonsense into the slot delays no call
 * but its own.
 *
 * docs/runtime-protocol.md has the states and who changes them; tests/model/channel.pml is a
 * model of it.
 */
#ifndef IOKIT_CHANNEL_H
#define IOKIT_CHANNEL_H

#include "common/poll-policy.h"
#include "iokit/wire.h"

#include <stdatomic.h>

enum iou_channel_state {
	IOU_CHANNEL_SOCKET,  /* the service waits in the socket: calls go there */
	IOU_CHANNEL_POLLING, /* the service polls this word; the reply to the last call is here */
	IOU_CHANNEL_POSTED,  /* a request is in the slot */
	IOU_CHANNEL_WAITING, /* likewise, and its reply is to be sent by the socket */
};

/* The memory that both map. Each side's words are on cache lines that the other only reads. */
struct iou_channel_slot {
	_Alignas(128) _Atomic uint32_t state;
	_Atomic uint32_t service_cpu; /* where the service polls */
	_Atomic uint32_t client_cpu;  /* where the client posted from */
	_Alignas(64) unsigned char request[IOU_MESSAGE_MAX];
	_Alignas(64) unsigned char reply[IOU_MESSAGE_MAX];
};

/* One side's view of a channel. Guarded like the connection or session that it belongs to. */
struct iou_channel {
	struct iou_channel_slot *slot;
	struct poll_policy policy;
	int64_t wait_began; /* of the service in the socket, CLOCK_MONOTONIC in ns */
	uint32_t cpu;	    /* the one that the slot has of this side */
};

/*
 * iou_channel_create - for the service: make a channel's memory
 * @fd: set to a descriptor for the client; the caller closes it
 *
 * The size of the memory is sealed, so that no access to it can fault. Returns 0, or a negative
 * errno.
 */
int iou_channel_create(struct iou_channel *channel, int *fd);

/*
 * iou_channel_attach - for the client: map the memory that a service sent
 *
 * @fd stays the caller's. -EINVAL for memory of another size, or whose size is not sealed.
 */
int iou_channel_attach(struct iou_channel *channel, int fd);

/* Unmap it. A channel of zeroed memory, or one that has been freed, is none. */
void iou_channel_free(struct iou_channel *channel);

/*
 * iou_channel_call - for the client: post a request and wait for its reply
 *
 * Returns the size of the reply, copied to @reply, as iou_receive() does; 0 where the request has
 * to be sent by the socket; -EINPROGRESS where it has been posted and the reply will come by the
 * socket; -EPROTO for a reply that is none.
 */
int iou_channel_call(
	struct iou_channel *channel, const union iou_buffer *request, union iou_buffer *reply);

/* For the client, after each message that it sends by the socket: the service shall look there. */
void iou_channel_sent(struct iou_channel *channel);

/*
 * iou_channel_begin - for the service, after a message from the socket: begin to poll, or not
 *
 * True: the socket must be looked at once more, without waiting, before iou_channel_poll(), since
 * the client may have sent a message before it saw this state.
 */
bool iou_channel_begin(struct iou_channel *channel);

/*
 * iou_channel_poll - for the service, which has begun: wait for a request
 *
 * Returns its size, copied to @request, with header.size checked; 0 when the service has to wait
 * in the socket; -EPROTO for a request that is none.
 */
int iou_channel_poll(struct iou_channel *channel, union iou_buffer *request);

/*
 * iou_channel_reply - for the service: answer the request that came last
 *
 * False where the reply has to be sent by the socket. Polling goes on, or does not, as the state
 * says.
 */
bool iou_channel_reply(struct iou_channel *channel, const void *reply, size_t size);

/*
 * iou_channel_divert - for the service, in the middle of a request: go on by the socket
 *
 * For a question to the client. The reply goes by the socket as well.
 */
void iou_channel_divert(struct iou_channel *channel);

/* For the service: it is about to wait in the socket; a message has come. */
void iou_channel_wait_begins(struct iou_channel *channel);
void iou_channel_wait_ended(struct iou_channel *channel);

#endif
