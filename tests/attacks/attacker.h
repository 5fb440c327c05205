/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A raw peer of dextd that uses iokit/wire.h directly, so that every message can be invalid.
 * Functions that fail leave the connection open; none waits longer than ATTACK_TIMEOUT_SECONDS.
 */
#ifndef TESTS_ATTACKER_H
#define TESTS_ATTACKER_H

#include "iokit/wire.h"

#include <dext-abi.h>

struct peer {
	int fd;
	uint32_t id; /* of the last request */
};

/* Connect and send nothing. Return: a descriptor, or a negative errno. */
int peer_dial(const char *path);
/* Connect and exchange versions. */
bool peer_greet(struct peer *peer, const char *path);
/* The same, and open the device at xx:00.0 of that bus. */
bool peer_open(struct peer *peer, const char *path, uint8_t bus);

/* Send a message of @type; sets header.type, .id and .size. */
bool peer_send(struct peer *peer, uint32_t type, void *message, size_t size, const int *fds,
	size_t fd_count);
/*
 * Receive a message. Return: its size; 0 when the service has closed the connection; a negative
 * errno.
 */
int peer_receive(struct peer *peer, union iou_buffer *message, struct iou_fds *fds);

struct peer_call {
	uint32_t selector, flags; /* IOU_CALL_ASYNC: the first descriptor is the port */
	const uint64_t *scalars;
	uint32_t scalar_count;
	const void *structure;
	uint32_t structure_size;
	uint32_t scalar_room, structure_room; /* size of the outputs */
	const int *fds;
	size_t fd_count;
};
bool peer_send_call(struct peer *peer, const struct peer_call *call);
/* Call, and receive the reply. Return: its status; kIOReturnNotAttached if there is none. */
kern_return_t peer_call(struct peer *peer, const struct peer_call *call, union iou_buffer *reply);
/* A call with scalars only; @out has room for @out_count, and may be NULL for 0. */
kern_return_t peer_scalars(struct peer *peer, uint32_t selector, const uint64_t *in,
	uint32_t in_count, uint64_t *out, uint32_t out_count);

/*
 * RegisterDMARegion of a region at ranges[0].va; answers the service's query with these ranges, 64
 * in each reply, and these descriptors in each reply.
 */
kern_return_t peer_register(struct peer *peer, uint64_t iova, uint64_t size,
	const struct iou_range *ranges, size_t count, const int *fds, size_t fd_count);

/* The same without waiting for the result. Return: false when there was no query. */
bool peer_send_register(struct peer *peer, uint64_t iova, uint64_t size,
	const struct iou_range *ranges, size_t count, const int *fds, size_t fd_count);

/*
 * Open the device of that bus and claim it with @selector (Claim or ClaimExclusive), when it is
 * free.
 */
bool peer_claim_when_free(struct peer *peer, const char *path, uint8_t bus, uint32_t selector);

#endif
