/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the trace ring while the driver writes it. */
#ifndef TOOLS_DEXTCTL_RING_H
#define TOOLS_DEXTCTL_RING_H

#include <dext-abi.h>

struct ring {
	const struct dext_trace *trace;
	uint64_t next;		/* the entry that is read next */
};

/** ring_begin - read what is written from now on. */
void ring_begin(struct ring *ring, const struct dext_trace *trace);

enum ring_read {
	RING_EMPTY,	/* nothing, or an entry that is just being written */
	RING_ENTRY,	/* @entry is filled in */
	RING_MISSED,	/* @missed entries were overwritten before they were read */
};

/**
 * ring_read - the next entry
 *
 * What is missed is told before what comes after it. Return: what there is.
 */
enum ring_read ring_read(struct ring *ring, struct dext_trace_entry *entry, uint64_t *missed);

#endif
