/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients did between two looks at their counters, and how that is shown. */
#ifndef TOOLS_DEXTCTL_TOP_H
#define TOOLS_DEXTCTL_TOP_H

#include <apple-dext-client.h>
#include <stdio.h>

/* One look at the clients of a device. */
struct rates_sample {
	uint64_t taken; /* nanoseconds, of CLOCK_MONOTONIC */
	AppleDextClientInfo *clients;
	size_t count;
};

struct rate {
	const char *address; /* of the device */
	AppleDextClientInfo client;
	double calls, interrupts; /* a second */
};

/* Grows; for rates_free(). */
struct rates {
	struct rate *rates;
	size_t count;
};

/**
 * rates_add - the rates of the clients of one device
 *
 * Who asks is left out. A client that came between counts from 0; one that went is left
 * out too, as nobody knows what it did last.
 */
void rates_add(struct rates *rates, const char *address, const struct rates_sample *before,
	const struct rates_sample *now);
/** rates_sort - most calls first, then most interrupts, then by device and client. */
void rates_sort(struct rates *rates);
/** rates_sum - of all clients. */
void rates_sum(const struct rates *rates, double *calls, double *interrupts);
void rates_free(struct rates *rates);

/* The rates of clients, as text or as JSON. */

/** top_print - the sums in one line, and a table; @time stands at the beginning. */
void top_print(const struct rates *rates, const char *time, FILE *out);

struct json_object;
/** top_json - a new object. */
struct json_object *top_json(const struct rates *rates, const char *time);

#endif
