/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fuzzers share. An input is not the bytes of a protocol but a small program:
 * each byte decides something (which message, which field is wrong, what descriptor
 * comes along), and an input that ends early reads as zeroes, which mean "as it should
 * be". So short inputs get deep, and every mutation means something.
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
 * A number: mostly small, sometimes one that arithmetic stumbles over, sometimes any.
 * Never one that is an address of this process: a device may write where it points.
 */
uint64_t fuzz_number(struct fuzz_input *input);
/* One of @count values. */
uint64_t fuzz_pick(struct fuzz_input *input, const uint64_t *values, size_t count);
#define FUZZ_PICK(input, values) fuzz_pick(input, values, sizeof(values) / sizeof(*(values)))

/* End the process as a finding unless @holds. */
void fuzz_require(bool holds, const char *what);

/* Record which descriptors are open; require later that the same ones are open. */
void fuzz_note_fds(void);
void fuzz_require_fds_as_noted(void);

/* Replaces poll() of the code under test (linker option --wrap). */
struct pollfd;
int __wrap_poll(struct pollfd *fds, unsigned long count, int timeout_ms);
/* The function of the C library. */
int __real_poll(struct pollfd *fds, unsigned long count, int timeout_ms);

#endif
