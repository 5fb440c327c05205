/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/packet.h"
#include "tests/fuzz/fd-samples.h"

#include <string.h>
#include <sys/socket.h>

void packet_begin(struct packet *packet, uint32_t type, uint32_t id, size_t size)
{
	memset(packet->bytes, 0, size);
	packet->message.header =
		(struct iou_header){ .type = type, .id = id, .size = (uint32_t)size };
	packet->size = size;
	packet->fd_count = 0;
}

void packet_attach(struct packet *packet, unsigned kind)
{
	if (packet->fd_count < PACKET_FDS_MAX)
		packet->fds[packet->fd_count++] = fd_samples_get(kind);
}

static void set_size(struct packet *packet, size_t size)
{
	if (size > sizeof(packet->bytes))
		size = sizeof(packet->bytes);
	if (size > packet->size)
		memset(packet->bytes + packet->size, 0x5a, size - packet->size);
	packet->size = size;
	if (size >= sizeof(packet->message.header))
		packet->message.header.size = (uint32_t)size;
}

/* Change one word of it. */
static void spoil_word(struct packet *packet, struct fuzz_input *input)
{
	size_t at = 4u * fuzz_byte(input);
	uint32_t value = (uint32_t)fuzz_number(input);

	if (at + sizeof(value) <= packet->size)
		memcpy(packet->bytes + at, &value, sizeof(value));
}

void packet_tamper(struct packet *packet, struct fuzz_input *input)
{
	uint8_t how = fuzz_byte(input);
	unsigned amount = how >> 3;

	switch (how & 7) {
	case 0:
		packet->message.header.size += amount + 1;
		break;
	case 1:
		set_size(packet, packet->size > amount ? packet->size - amount - 1 : 0);
		break;
	case 2:
		set_size(packet, packet->size + (amount + 1) * 8);
		break;
	case 3:
		packet->message.header.id = (uint32_t)fuzz_number(input);
		break;
	case 4:
		packet->message.header.type ^= IOU_REPLY;
		break;
	case 5:
		for (unsigned i = 0; i <= amount * 3; i++)
			packet_attach(packet, amount ? i : fuzz_byte(input));
		break;
	case 6:
		packet->message.header.status = (int32_t)fuzz_number(input);
		break;
	default:
		spoil_word(packet, input);
		break;
	}
}

void packet_garble(struct packet *packet, struct fuzz_input *input)
{
	size_t size = fuzz_byte(input), header = sizeof(struct iou_header);
	unsigned fds = fuzz_byte(input) % 4;

	if (size == UINT8_MAX)
		size = sizeof(packet->bytes);
	packet_begin(packet, 0, 0, size < header ? header : size);
	fuzz_bytes(input, packet->bytes, size < 64 ? size : 64);
	packet->size = size;
	for (unsigned i = 0; i < fds; i++)
		packet_attach(packet, fuzz_byte(input));
}

void packet_send(const struct packet *packet, int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX)];
	} control;
	struct iovec iov = { (void *)(uintptr_t)packet->bytes, packet->size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (packet->fd_count) {
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * packet->fd_count);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * packet->fd_count);
		memcpy(CMSG_DATA(header), packet->fds, sizeof(int) * packet->fd_count);
	}
	(void)sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}
