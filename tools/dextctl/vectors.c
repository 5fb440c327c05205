/* SPDX-License-Identifier: BSD-3-Clause */
/* A number that ends at @end; false when it is none. */
#include "common/number.h"
#include "tools/cli.h"
#include "tools/dextctl/vectors.h"

#include <string.h>

static bool parse_number(const char *text, const char *end, uint64_t *vector)
{
	char number[16];
	size_t length = (size_t)(end - text);

	if (length >= sizeof(number))
		return false;
	memcpy(number, text, length);
	number[length] = '\0';
	return !number_parse(number, DEXT_VECTORS_MAX - 1, vector);
}

/* "4" or "4-7", which ends at @end. */
static bool parse_range(const char *text, const char *end, uint64_t mask[DEXT_IRQ_WORDS])
{
	const char *dash = memchr(text, '-', (size_t)(end - text));
	uint64_t first, last;

	if (!parse_number(text, dash ? dash : end, &first))
		return false;
	last = first;
	if (dash && (!parse_number(dash + 1, end, &last) || last < first))
		return false;
	for (uint64_t vector = first; vector <= last; vector++)
		mask[vector / 64] |= UINT64_C(1) << vector % 64;
	return true;
}

const char *vectors_parse(const char *text, uint64_t mask[DEXT_IRQ_WORDS])
{
	memset(mask, 0, DEXT_IRQ_WORDS * sizeof(*mask));
	for (;;) {
		const char *end = strchrnul(text, ',');

		if (!parse_range(text, end, mask))
			return "expected vectors, 0 to 255, such as 0,4-7";
		if (!*end)
			return NULL;
		text = end + 1;
	}
}

bool vectors_has(const uint64_t mask[DEXT_IRQ_WORDS], unsigned vector)
{
	return mask[vector / 64] >> vector % 64 & 1;
}

unsigned vectors_count(const uint64_t mask[DEXT_IRQ_WORDS], unsigned count)
{
	unsigned found = 0;

	for (unsigned vector = 0; vector < count && vector < DEXT_VECTORS_MAX; vector++)
		found += vectors_has(mask, vector);
	return found;
}
