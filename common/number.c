/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/number.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char too_large[] = "too large a number";

/* 16, more than any digit, for a character that is none. */
static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 16;
}

static bool has_prefix(const char *text)
{
	return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

/* The digits up to @end: @expected where there are none or something else stands there. */
static const char *parse(const char *text, const char *end, unsigned base, uint64_t max,
	const char *expected, uint64_t *value)
{
	uint64_t sum = 0;
	const char *problem = NULL;

	if (has_prefix(text)) {
		base = 16;
		text += 2;
	}
	if (text >= end)
		return expected;
	for (; text < end; text++) {
		unsigned digit = digit_value(*text);

		if (digit >= base)
			return expected;
		if (__builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
			__builtin_add_overflow(sum, (uint64_t)digit, &sum))
			problem = too_large;
	}
	if (problem || sum > max)
		return too_large;
	*value = sum;
	return NULL;
}

const char *number_parse(const char *text, uint64_t max, uint64_t *value)
{
	return parse(text, text + strlen(text), 10, max, "expected a number, decimal or 0x and hex",
		value);
}

const char *number_parse_hex(const char *text, uint64_t max, uint64_t *value)
{
	return parse(text, text + strlen(text), 16, max, "expected a number in hex", value);
}

const char *number_parse_size(const char *text, uint64_t max, uint64_t *value)
{
	static const char expected[] = "expected a size in bytes, or with K, M, G or T, as in 512M";
	static const char units[] = "KkMmGgTt";
	const char *end = text + strlen(text), *problem;
	unsigned shift = 0;

	if (end > text) {
		const char *unit = strchr(units, end[-1]);

		if (unit) {
			shift = 10 * (unsigned)((unit - units) / 2 + 1);
			end--;
		}
	}
	problem = parse(text, end, 10, max >> shift, expected, value);
	if (!problem)
		*value <<= shift;
	return problem;
}
