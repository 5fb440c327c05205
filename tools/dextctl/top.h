/* SPDX-License-Identifier: BSD-3-Clause */
/* Rates of clients, from their counters at two moments. */
#ifndef TOOLS_DEXTCTL_TOP_H
#define TOOLS_DEXTCTL_TOP_H

#include <apple-dext-client.h>
#include <stdio.h>

/* The counters of a device's clients. */
struct rates_sample {
	uint64_t taken; /* nanoseconds of CLOCK_MONOTONIC */
	AppleDextClientInfo *clients;
	size_t count;
};

struct rate {
	const char *address; /* of the device */
	AppleDextClientInfo client;
	double calls, interrupts; /* per second */
};

/* For rates_free(). */
struct rates {
	struct rate *rates;
	size_t count;
};

/**
 * rates_add - add the rates of one device's clients
 *
 * Not that of the caller. A client that is only in @now counts from 0, one that is only in
 * @before is left out.
 */
void rates_add(struct rates *rates, const char *address, const struct rates_sample *before,
	const struct rates_sample *now);
/** rates_sort - sort by calls and interrupts, highest first, then by device and client. */
void rates_sort(struct rates *rates);
/** rates_sum - add up all clients. */
void rates_sum(const struct rates *rates, double *calls, double *interrupts);
void rates_free(struct rates *rates);

/** top_print - print a line with @time and the sums, and a table. */
void top_print(const struct rates *rates, const char *time, FILE *out);

struct json_object;
/** top_json - a new object. */
struct json_object *top_json(const struct rates *rates, const char *time);

#endif
