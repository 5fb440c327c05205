/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers and sizes out of text that somebody typed. The whole text has to be one: no sign,
 * no blanks, nothing behind it.
 *
 * Each function returns NULL and sets the value, or returns what was expected, in words to
 * stand after the text itself, and leaves the value as it was. All are safe in any thread.
 */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stdint.h>

/**
 * number_parse - an unsigned number: decimal, or hex with 0x
 * @max: the largest that is taken
 *
 * A leading 0 does not mean octal.
 */
const char *number_parse(const char *text, uint64_t max, uint64_t *value);

/** number_parse_hex - an unsigned number in hex, with 0x or without. */
const char *number_parse_hex(const char *text, uint64_t max, uint64_t *value);

/**
 * number_parse_size - bytes: as number_parse(), then perhaps one of K, M, G and T, powers of
 * 1024, in either case
 */
const char *number_parse_size(const char *text, uint64_t max, uint64_t *value);

#endif
