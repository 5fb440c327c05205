/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls of the driver by name, and what their scalars mean: the ABI's table in words. */
#ifndef TOOLS_DEXTCTL_SELECTORS_H
#define TOOLS_DEXTCTL_SELECTORS_H

#include <stddef.h>
#include <stdint.h>

#define SCALAR_NAME_SIZE 16

enum scalar_way { SCALAR_IN, SCALAR_OUT };

/** selector_name - "ConfigRead"; NULL for one that the ABI does not have. */
const char *selector_name(uint32_t selector);

/**
 * scalar_name - what a scalar of a call means: "offset"
 * @index: from 0 on
 *
 * Return: @text; "arg0" or "result0" where the table has no name for it.
 */
const char *scalar_name(
	uint32_t selector, enum scalar_way way, size_t index, char text[SCALAR_NAME_SIZE]);

#endif
