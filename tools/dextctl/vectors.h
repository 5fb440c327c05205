/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of interrupt vectors, such as 0,4-7. */
#ifndef TOOLS_DEXTCTL_VECTORS_H
#define TOOLS_DEXTCTL_VECTORS_H

#include <dext-abi.h>
#include <stdbool.h>

/**
 * vectors_parse - a list out of an argument
 * @mask: gets bit n of word n/64 for vector n
 *
 * Return: NULL and @mask set, or what is wrong, in words to stand after the text itself.
 */
const char *vectors_parse(const char *text, uint64_t mask[DEXT_IRQ_WORDS]);

/** vectors_has - whether @vector, 0 to 255, is in the list. */
bool vectors_has(const uint64_t mask[DEXT_IRQ_WORDS], unsigned vector);
/** vectors_count - how many of the first @count vectors are in it. */
unsigned vectors_count(const uint64_t mask[DEXT_IRQ_WORDS], unsigned count);

#endif
