/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile service for the client side of the runtime. Its messages are queued before the client
 * sends a request, so that one thread is enough. Waits do not take time: when the client waits for
 * a message that is not in the queue, it gets a time-out immediately.
 */
#ifndef TESTS_FUZZ_CLIENT_RIG_H
#define TESTS_FUZZ_CLIENT_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINKS_MAX = 24 }; /* connections that a client can make during one input */

/* Prepare the next connection of the client. Return: its index, or -1. */
int link_prepare(void);
/* The service's end of a connection. */
int link_service(int link);
/* Whether the client has connected. */
bool link_connected(int link);
/* Close the service's end. */
void link_close(int link);
/*
 * Read the messages that the client has sent. Require that they are valid, and that all addresses
 * in them are in the arena. port_descriptor() returns the last descriptor of a port among them.
 */
void links_read(void);
/* The sending end of the client's notification port, or -1 if it was not received. */
int port_descriptor(void);

/*
 * Call the handlers of the client's port until it is not readable. Requires that this ends: a port
 * that remains readable would use its thread's CPU time without end.
 */
void port_deliver(void);

/* Close all descriptors. */
void client_rig_end(void);

/* Memory for arguments of calls. Its parts are shared, private, read-only, and unmapped. */
#define ARENA_PART 0x4000u
unsigned char *arena(void);

#endif
