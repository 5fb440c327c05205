/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parse numbers and sizes from user input. The whole text must be a number: no sign, no
 * blanks, no trailing characters.
 *
 * Each function returns NULL and sets *value, or returns what was expected, as text to
 * print after the input, and leaves *value unchanged. All are thread-safe.
 */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stdint.h>

/**
 * number_parse - an unsigned number: decimal, or hex with 0x
 * @max: the largest valid value
 *
 * A leading 0 does not mean octal.
 */
const char *number_parse(const char *text, uint64_t max, uint64_t *value);

/** number_parse_hex - an unsigned number in hex, with 0x or without. */
const char *number_parse_hex(const char *text, uint64_t max, uint64_t *value);

/**
 * number_parse_size - bytes: as number_parse(), with an optional suffix K, M, G or T (powers of
 * 1024, upper or lower case)
 */
const char *number_parse_size(const char *text, uint64_t max, uint64_t *value);

#endif
