/* SPDX-License-Identifier: BSD-3-Clause */
/* The trace: reading its ring while the driver writes it, and showing the calls in it. */
#ifndef TOOLS_DEXTCTL_TRACE_H
#define TOOLS_DEXTCTL_TRACE_H

#include <dext-abi.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ring {
	const struct dext_trace *trace;
	uint64_t next; /* the entry that is read next */
};

/** ring_begin - read what is written from now on. */
void ring_begin(struct ring *ring, const struct dext_trace *trace);

enum ring_read {
	RING_EMPTY,  /* nothing, or an entry that is just being written */
	RING_ENTRY,  /* @entry is filled in */
	RING_MISSED, /* @missed entries were overwritten before they were read */
};

/**
 * ring_read - the next entry
 *
 * What is missed is told before what comes after it. Return: what there is.
 */
enum ring_read ring_read(struct ring *ring, struct dext_trace_entry *entry, uint64_t *missed);

/* The calls of the driver by name, and what their scalars mean: the ABI's table in words. */

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

/* A call of the trace in one line, as text or as JSON. */

struct traced {
	const char *address; /* of the device */
	int32_t pid;	     /* of the client; 0 when it is not known */
	uint64_t began;	     /* by CLOCK_REALTIME */
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
