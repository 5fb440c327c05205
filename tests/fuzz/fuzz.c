/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/fuzz.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fuzz_input fuzz_begin(const uint8_t *data, size_t size)
{
	static const uint8_t nothing[1];

	return size ? (struct fuzz_input){ data, data + size } :
		      (struct fuzz_input){ nothing, nothing };
}

bool fuzz_more(const struct fuzz_input *input)
{
	return input->at < input->end;
}

uint8_t fuzz_byte(struct fuzz_input *input)
{
	return fuzz_more(input) ? *input->at++ : 0;
}

void fuzz_bytes(struct fuzz_input *input, void *buffer, size_t size)
{
	size_t left = (size_t)(input->end - input->at);
	size_t part = left < size ? left : size;

	memset(buffer, 0, size);
	if (part)
		memcpy(buffer, input->at, part);
	input->at += part;
}

uint64_t fuzz_pick(struct fuzz_input *input, const uint64_t *values, size_t count)
{
	return values[fuzz_byte(input) % count];
}

uint64_t fuzz_number(struct fuzz_input *input)
{
	static const uint64_t hard[] = { UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - 0xfff, INT64_MAX,
		(uint64_t)INT64_MAX + 1, UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT32_MAX, 0x1000,
		0xfff, 0x1001, 0x10000, 0x100000, 0x4000, 0x800, 0x100 };
	uint8_t kind = fuzz_byte(input);
	uint64_t value = 0;

	if (kind < 0xc0)
		return kind;
	if (kind < 0xf0)
		return hard[kind % (sizeof(hard) / sizeof(*hard))];
	if (kind < 0xf8) {
		fuzz_bytes(input, &value, 2);
		return value;
	}
	fuzz_bytes(input, &value, sizeof(value));
	return value | UINT64_C(1) << 62;
}

void fuzz_require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "finding: %s\n", what);
	abort();
}

/* A leaked descriptor has the lowest free number, so that it is enough to check the lowest ones. */
#define FDS_WATCHED 96

static void fd_changed(int fd, bool open_now)
{
	char path[64], what[256] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (open_now && readlink(path, what, sizeof(what) - 1) < 0)
		what[0] = '\0';
	fprintf(stderr, "descriptor %d (%s)\n", fd, what);
	fuzz_require(false, open_now ? "a descriptor was not closed" :
				       "a descriptor that must stay open was closed");
}

static bool open_before[FDS_WATCHED];

static void look(bool *open)
{
	struct pollfd polled[FDS_WATCHED];

	for (int fd = 0; fd < FDS_WATCHED; fd++)
		polled[fd] = (struct pollfd){ .fd = fd };
	__real_poll(polled, FDS_WATCHED, 0);
	for (int fd = 0; fd < FDS_WATCHED; fd++)
		open[fd] = !(polled[fd].revents & POLLNVAL);
}

void fuzz_note_fds(void)
{
	look(open_before);
}

/* Descriptors of unknown kinds are closed asynchronously, by other threads. */
void fuzz_require_fds_as_noted(void)
{
	bool open_now[FDS_WATCHED];

	look(open_now);
	for (int i = 0; i < 10000 && memcmp(open_now, open_before, sizeof(open_now)) != 0; i++) {
		usleep(1000);
		look(open_now);
	}
	for (int fd = 0; fd < FDS_WATCHED; fd++)
		if (open_now[fd] != open_before[fd])
			fd_changed(fd, open_now[fd]);
}
