/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Common functions of the fuzzers. An input does not contain messages of a protocol, but decisions:
 * each byte selects something, such as the message, the invalid field, or the kind of a descriptor.
 * After the end of the input all bytes are 0, which selects the valid variant. Thus short inputs
 * execute much code, and every mutation changes the execution.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The interface of libFuzzer and replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
	const uint8_t *at, *end;
};

struct fuzz_input fuzz_begin(const uint8_t *data, size_t size);
bool fuzz_more(const struct fuzz_input *input);
uint8_t fuzz_byte(struct fuzz_input *input);
/* @size bytes; zeroes after the end of the input. */
void fuzz_bytes(struct fuzz_input *input, void *buffer, size_t size);
/*
 * A number: usually small, sometimes a limit of a type, sometimes any. It is never an address of
 * this process's memory, because a device might write there.
 */
uint64_t fuzz_number(struct fuzz_input *input);
/* One of @count values. */
uint64_t fuzz_pick(struct fuzz_input *input, const uint64_t *values, size_t count);
#define FUZZ_PICK(input, values) fuzz_pick(input, values, sizeof(values) / sizeof(*(values)))

/* Abort the process, which is a finding, unless @holds. */
void fuzz_require(bool holds, const char *what);

/*
 * fuzz_note_fds() records which descriptors are open; fuzz_require_fds_as_noted() requires the same
 * ones.
 */
void fuzz_note_fds(void);
void fuzz_require_fds_as_noted(void);

/* Replaces poll() of the code under test (linker option --wrap). */
struct pollfd;
int __wrap_poll(struct pollfd *fds, unsigned long count, int timeout_ms);
/* The function of the C library. */
int __real_poll(struct pollfd *fds, unsigned long count, int timeout_ms);

#endif
