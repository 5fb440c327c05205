/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile service for the real client side of the runtime. All that it says is queued
 * before the client asks, so that one thread does, and time never passes: what has not
 * been said when the client waits for it times out there and then.
 */
#ifndef TESTS_FUZZ_CLIENT_RIG_H
#define TESTS_FUZZ_CLIENT_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINES_MAX = 24 }; /* connections that a client can make during one input */

/* Prepare the next connection of the client. Return: its index, or -1. */
int line_prepare(void);
/* The service's end of a connection. */
int line_service(int line);
/* Whether the client has connected. */
bool line_taken(int line);
/* Close the service's end. */
void line_hang_up(int line);
/*
 * Read what the client has sent so far, and require that it holds together and tells
 * of no memory but the arena's. Descriptors of ports are kept for port_descriptor().
 */
void lines_read(void);
/* The sending end of the client's notification port, or -1 if it was not received. */
int port_descriptor(void);

/*
 * Let the client's port look at what has arrived. Requires that it comes to an end: a
 * port that has nothing to read, yet stays readable, would keep its thread busy for ever.
 */
void port_deliver(void);

/* Close all descriptors. */
void client_rig_end(void);

/* Memory that calls may name: shared, private, read-only, then unmapped. */
#define ARENA_PART 0x4000u
unsigned char *arena(void);

#endif
