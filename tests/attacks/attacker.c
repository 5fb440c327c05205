/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/attacks/attacker.h"
#include "tests/attacks/attacks.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MS (ATTACK_TIMEOUT_SECONDS * 1000)

int peer_dial(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int64_t end = iou_now_ms() + TIMEOUT_MS;
	int fd, status;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* EAGAIN: the backlog is full. */
	while ((status = connect(fd, (struct sockaddr *)&address, sizeof(address))) != 0 &&
		errno == EAGAIN && iou_now_ms() < end)
		poll(NULL, 0, 2);
	if (status == 0)
		return fd;
	status = -errno;
	close(fd);
	return status;
}

bool peer_send(struct peer *peer, uint32_t type, void *message, size_t size, const int *fds,
	size_t fd_count)
{
	struct iou_header *header = message;

	header->type = type;
	header->id = ++peer->id;
	return iou_send(peer->fd, message, size, fds, fd_count, TIMEOUT_MS) == 0;
}

int peer_receive(struct peer *peer, union iou_buffer *message, struct iou_fds *fds)
{
	return iou_receive(peer->fd, message, fds, TIMEOUT_MS);
}

bool peer_greet(struct peer *peer, const char *path)
{
	struct iou_hello hello = {
		.magic = IOU_MAGIC, .major = IOU_VERSION_MAJOR, .minor = IOU_VERSION_MINOR
	};
	union iou_buffer reply;
	struct iou_fds fds;

	*peer = (struct peer){ .fd = peer_dial(path) };
	if (peer->fd < 0)
		return false;
	if (peer_send(peer, IOU_HELLO, &hello, sizeof(hello), NULL, 0) &&
		peer_receive(peer, &reply, &fds) > 0 && reply.header.status == kIOReturnSuccess)
		return true;
	close(peer->fd);
	return false;
}

/* The number of the service at @index in the list; 0: the list is shorter. */
static uint64_t nth_entry(struct peer *peer, unsigned index)
{
	struct iou_header list = { .type = 0 };
	union iou_buffer message;
	uint64_t found = 0;
	struct iou_fds fds;

	if (!peer_send(peer, IOU_LIST, &list, sizeof(list), NULL, 0))
		return 0;
	for (unsigned at = 0; peer_receive(peer, &message, &fds) > 0; at++) {
		if (message.header.type != IOU_ENTRY)
			break;
		if (at == index)
			found = message.entry.entry_id;
	}
	return found;
}

bool peer_open(struct peer *peer, const char *path, uint8_t bus)
{
	uint64_t identity[DEXT_OUT_GetIdentity];
	struct iou_open open = { .type = DEXT_USER_CLIENT_TYPE };
	union iou_buffer reply;
	struct iou_fds fds;

	/* A connection can open one service, once: each candidate needs a new connection. */
	for (unsigned index = 0; peer_greet(peer, path); index++) {
		open.entry_id = nth_entry(peer, index);
		if (!open.entry_id)
			break;
		if (peer_send(peer, IOU_OPEN, &open, sizeof(open), NULL, 0) &&
			peer_receive(peer, &reply, &fds) > 0 &&
			reply.header.status == kIOReturnSuccess &&
			peer_scalars(peer, DEXT_SELECTOR_GetIdentity, NULL, 0, identity,
				DEXT_OUT_GetIdentity) == kIOReturnSuccess &&
			identity[DEXT_IDENTITY_BUS] == bus)
			return true;
		close(peer->fd);
	}
	return false;
}

bool peer_send_call(struct peer *peer, const struct peer_call *call)
{
	union iou_buffer message;
	size_t scalars = call->scalar_count * sizeof(uint64_t);

	message.call = (struct iou_call){
		.selector = call->selector,
		.flags = call->flags,
		.token = 1,
		.scalar_input_count = call->scalar_count,
		.scalar_output_room = call->scalar_room,
		.structure_input_size = call->structure_size,
		.structure_output_room = call->structure_room,
	};
	if (scalars)
		memcpy(message.bytes + sizeof(message.call), call->scalars, scalars);
	if (call->structure_size)
		memcpy(message.bytes + sizeof(message.call) + scalars, call->structure,
			call->structure_size);
	return peer_send(peer, IOU_CALL, &message,
		sizeof(message.call) + scalars + call->structure_size, call->fds, call->fd_count);
}

/* Other messages before the reply (a query of memory) are skipped. */
static kern_return_t receive_status(struct peer *peer, union iou_buffer *reply)
{
	struct iou_fds fds;

	while (peer_receive(peer, reply, &fds) > 0) {
		iou_fds_close(&fds);
		if (reply->header.type == (IOU_CALL | IOU_REPLY))
			return reply->header.status;
	}
	return kIOReturnNotAttached;
}

kern_return_t peer_call(struct peer *peer, const struct peer_call *call, union iou_buffer *reply)
{
	return peer_send_call(peer, call) ? receive_status(peer, reply) : kIOReturnNotAttached;
}

kern_return_t peer_scalars(struct peer *peer, uint32_t selector, const uint64_t *in,
	uint32_t in_count, uint64_t *out, uint32_t out_count)
{
	const struct peer_call call = { .selector = selector,
		.scalars = in,
		.scalar_count = in_count,
		.scalar_room = out_count };
	union iou_buffer reply;
	kern_return_t status = peer_call(peer, &call, &reply);

	if (status == kIOReturnSuccess && out_count)
		memcpy(out, reply.bytes + sizeof(reply.call_reply), out_count * sizeof(*out));
	return status;
}

static bool answer(struct peer *peer, uint32_t question, const struct iou_range *ranges,
	size_t count, const int *fds, size_t fd_count)
{
	union iou_buffer message;

	for (size_t at = 0; at < count; at += IOU_RANGES_MAX) {
		size_t part = count - at < IOU_RANGES_MAX ? count - at : IOU_RANGES_MAX;

		message.memory_reply = (struct iou_memory_reply){
			.header = { .type = IOU_MEMORY | IOU_REPLY, .id = question },
			.count = (uint32_t)part,
			.flags = at + part < count ? IOU_RANGES_MORE : 0,
		};
		memcpy(message.memory_reply.ranges, ranges + at, part * sizeof(*ranges));
		if (iou_send(peer->fd, &message,
			    sizeof(message.memory_reply) + part * sizeof(*ranges), fds, fd_count,
			    TIMEOUT_MS) != 0)
			return false;
	}
	return true;
}

/* Call, and answer the query. Return: the call's status if there was no query. */
static kern_return_t begin_register(struct peer *peer, uint64_t iova, uint64_t size,
	const struct iou_range *ranges, size_t count, const int *fds, size_t fd_count)
{
	const uint64_t in[DEXT_IN_RegisterDMARegion] = { iova, ranges[0].va, size };
	const struct peer_call call = { .selector = DEXT_SELECTOR_RegisterDMARegion,
		.scalars = in,
		.scalar_count = DEXT_IN_RegisterDMARegion,
		.scalar_room = DEXT_OUT_RegisterDMARegion };
	union iou_buffer message;
	struct iou_fds none;

	if (!peer_send_call(peer, &call) || peer_receive(peer, &message, &none) <= 0)
		return kIOReturnNotAttached;
	if (message.header.type != IOU_MEMORY)
		return message.header.status; /* refused without a query */
	/* The service may refuse before the last answer: its reply has the status. */
	(void)answer(peer, message.header.id, ranges, count, fds, fd_count);
	return kIOReturnSuccess;
}

bool peer_send_register(struct peer *peer, uint64_t iova, uint64_t size,
	const struct iou_range *ranges, size_t count, const int *fds, size_t fd_count)
{
	return begin_register(peer, iova, size, ranges, count, fds, fd_count) == kIOReturnSuccess;
}

kern_return_t peer_register(struct peer *peer, uint64_t iova, uint64_t size,
	const struct iou_range *ranges, size_t count, const int *fds, size_t fd_count)
{
	kern_return_t status = begin_register(peer, iova, size, ranges, count, fds, fd_count);
	union iou_buffer reply;

	return status == kIOReturnSuccess ? receive_status(peer, &reply) : status;
}

bool peer_claim_when_free(struct peer *peer, const char *path, uint8_t bus, uint32_t selector)
{
	for (int64_t end = iou_now_ms() + TIMEOUT_MS; iou_now_ms() < end; poll(NULL, 0, 20)) {
		if (!peer_open(peer, path, bus))
			continue;
		if (peer_scalars(peer, selector, NULL, 0, NULL, 0) == kIOReturnSuccess)
			return true;
		close(peer->fd);
	}
	return false;
}
