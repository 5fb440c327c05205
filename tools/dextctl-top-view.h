/* SPDX-License-Identifier: BSD-3-Clause */
/* The rates of clients, as text or as JSON. */
#ifndef TOOLS_DEXTCTL_TOP_VIEW_H
#define TOOLS_DEXTCTL_TOP_VIEW_H

#include "tools/dextctl-rates.h"

#include <stdio.h>

/** top_print - the sums in one line, and a table; @time stands at the beginning. */
void top_print(const struct rates *rates, const char *time, FILE *out);

struct json_object;
/** top_json - a new object. */
struct json_object *top_json(const struct rates *rates, const char *time);

#endif
