/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server of the runtime in this process, with one service and at most four connections, and
 * clients of it that implement the runtime's protocol themselves. Failures fail the test.
 */
#ifndef TESTS_LIB_SESSION_RIG_H
#define TESTS_LIB_SESSION_RIG_H

#include "iokit/wire.h"

/*
 * Selectors of the service. KEEP keeps the completion of an asynchronous call, completes the call
 * without ending it, and returns whether the client takes that. MEMORY returns the
 * number of segments of the memory whose address and size are its scalars. TOO_MUCH returns a larger
 * structure than there is room for. FILE maps a page of each descriptor of the call, and returns the
 * status of the last.
 */
enum { SELECT_NOTHING, SELECT_KEEP, SELECT_MEMORY, SELECT_TOO_MUCH, SELECT_FILE };

/* Setup and teardown of a cmocka test. */
int session_setup(void **state);
int session_teardown(void **state);
/* What the teardown does otherwise. */
void session_stop_server(void);
void session_destroy_server(void);

/*
 * Hold the server while a client sends a descriptor and closes its own: then the server has the
 * last reference. Skips the test where the threads cannot be held.
 */
void session_hold_server(void);
void session_release_server(void);

/* Connect, and send nothing. */
int session_connect(void);
/* Return: 0, or a negative errno. */
int session_send_hello(int fd, const int *fds, size_t count);
/* Connect, and open the service. */
int session_open(void);
/* The same with this minor version of the protocol; session_open() has 0. */
int session_open_version(uint16_t minor);
/* Call a selector; SELECT_KEEP asynchronously. Return: 0, or a negative errno. */
int session_send_call(int fd, uint32_t selector, const uint64_t *scalars, uint32_t count,
	const int *fds, size_t fd_count);
/* Receive a reply. Return: its status. */
kern_return_t session_receive_status(int fd, union iou_buffer *reply);
/* Call SELECT_KEEP. Return: the status. */
kern_return_t session_call_with_port(int fd, int port);
/* Whether the server has ended the session; earlier messages are skipped. */
bool session_ended(int fd);

/* A socket whose last close() blocks for an hour, or until the teardown. */
int session_lingering_socket(void);

#endif
