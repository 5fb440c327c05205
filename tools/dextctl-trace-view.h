/* SPDX-License-Identifier: BSD-3-Clause */
/* A call of the trace in one line, as text or as JSON. */
#ifndef TOOLS_DEXTCTL_TRACE_VIEW_H
#define TOOLS_DEXTCTL_TRACE_VIEW_H

#include <dext-abi.h>
#include <stdio.h>

struct traced {
	const char *address;	/* of the device */
	int32_t pid;		/* of the client; 0 when it is not known */
	uint64_t began;		/* by CLOCK_REALTIME */
	const struct dext_trace_entry *entry;
};

/** traced_print_head - the heads of the columns. */
void traced_print_head(FILE *out);
/** traced_print - "TIME CLIENT PID TOOK CALL". */
void traced_print(const struct traced *traced, FILE *out);

struct json_object;
/** traced_json - a new object. */
struct json_object *traced_json(const struct traced *traced);

#endif
