/* SPDX-License-Identifier: BSD-3-Clause */
/* The trace of the driver: reading its ring while the driver writes it, and printing calls. */
#ifndef TOOLS_DEXTCTL_TRACE_H
#define TOOLS_DEXTCTL_TRACE_H

#include <dext-abi.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ring {
	const struct dext_trace *trace;
	uint64_t next; /* number of the next entry to read */
};

/** ring_begin - begin after the last entry written so far. */
void ring_begin(struct ring *ring, const struct dext_trace *trace);

enum ring_read {
	RING_EMPTY,  /* no new entry, or only one that is being written */
	RING_ENTRY,  /* @entry is filled in */
	RING_MISSED, /* @missed entries were overwritten before they were read */
};

/** ring_read - read the next entry; missed entries are reported before the entries after them. */
enum ring_read ring_read(struct ring *ring, struct dext_trace_entry *entry, uint64_t *missed);

#define SCALAR_NAME_SIZE 16

enum scalar_direction { SCALAR_IN, SCALAR_OUT };

/** selector_name - "ConfigRead"; NULL if the selector is not in the ABI. */
const char *selector_name(uint32_t selector);

/**
 * scalar_name - the name of the argument or result number @index of a call: "offset"
 *
 * Return: @text; "arg0" or "result0" if it has no name.
 */
const char *scalar_name(uint32_t selector, enum scalar_direction direction, size_t index,
	char text[SCALAR_NAME_SIZE]);

struct traced {
	const char *address; /* of the device */
	int32_t pid;	     /* of the client; 0: not known */
	uint64_t began;	     /* nanoseconds of CLOCK_REALTIME */
	const struct dext_trace_entry *entry;
};

/** traced_print - print one line: "TIME CLIENT PID TOOK CALL". */
void traced_print(const struct traced *traced, FILE *out);

struct json_object;
/** traced_json - a new object. */
struct json_object *traced_json(const struct traced *traced);

#endif
