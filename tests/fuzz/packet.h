/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of the runtime's protocol, valid or corrupted. */
#ifndef TESTS_FUZZ_PACKET_H
#define TESTS_FUZZ_PACKET_H

#include "iokit/wire.h"
#include "tests/fuzz/fuzz.h"

#define PACKET_FDS_MAX 80 /* more than the protocol allows */

struct packet {
	size_t size;
	size_t fd_count;
	int fds[PACKET_FDS_MAX];
	union {
		union iou_buffer message;
		unsigned char bytes[sizeof(union iou_buffer) + 256];
	};
};

/* Begin a message of a type and size, all zeroes. */
void packet_begin(struct packet *packet, uint32_t type, uint32_t id, size_t size);
/* Attach a descriptor of fd_samples_get(); ignored after PACKET_FDS_MAX. */
void packet_attach(struct packet *packet, unsigned kind);
/* Corrupt it; the input selects how. */
void packet_tamper(struct packet *packet, struct fuzz_input *input);
/* Arbitrary bytes, with descriptors. */
void packet_garble(struct packet *packet, struct fuzz_input *input);
/* Queue it at @fd; discarded if it does not fit. */
void packet_send(const struct packet *packet, int fd);

#endif
