/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session of the vfio-user server on one end of a socket pair, in its own thread, on the fake
 * client library. The test acts as the VMM at the other end.
 */
#ifndef TESTS_LIB_VFIO_USER_RIG_H
#define TESTS_LIB_VFIO_USER_RIG_H

#include "tests/lib/fake-client.h"
#include "tests/lib/fds.h"
#include "tests/lib/vfio-user-client.h"
#include "vfio-user/message.h"
#include "vfio-user/serve.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <unistd.h>
#include <cmocka.h>

struct rig {
	struct vu_client client; /* the VMM; first, for casts of *state; fd: -1: disconnected */
	struct vu_device *device;
	int session_fd;
	int stop[2];
	struct vu_loop loop;
	pthread_t thread;
	bool running;
	int ended[2]; /* a pipe that gets a byte when the session has ended */
	size_t fds_before;
};

/*
 * Setup for cmocka: a new fake and a device. The test starts the session; rig_setup_negotiated()
 * has started one.
 */
int rig_setup(void **state);
int rig_setup_negotiated(void **state);
int rig_setup_calls(void **state); /* the same, with BARs accessed by calls */
int rig_setup_line(void **state);  /* the same, with a device that has INTx only */
int rig_setup_with(void **state, enum vu_bar_access access, bool agreed);
int rig_teardown(void **state);

/** rig_open - create the socket pair. Messages sent before rig_begin() are queued. */
void rig_open(struct rig *rig);
/** rig_begin - start a session on it. */
void rig_begin(struct rig *rig);
/** rig_connect - rig_open() and rig_begin(). */
void rig_connect(struct rig *rig);
/** rig_disconnect - close the VMM's end and wait until the session has ended. */
void rig_disconnect(struct rig *rig);
/** rig_wait_end - wait until the session has ended. */
void rig_wait_end(struct rig *rig);
/** rig_negotiate - VERSION. */
void rig_negotiate(struct rig *rig);

/** rig_expect_closed - check that the session has closed the socket. */
void rig_expect_closed(struct rig *rig);

#define CONNECT (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define DISABLE (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)

/** event_new - create a non-blocking event: an eventfd or a pipe, as the server was built. */
int event_new(void);
/** event_signal - signal it, as a VMM does. */
void event_signal(int fd);
/** event_fill - signal it until it is full. Return: the value that event_read() will return. */
uint64_t event_fill(int fd);
/** event_read - the number of signals since the last call; clears the event. */
uint64_t event_read(int fd);
/** memory_new - create shareable memory. Return: its descriptor. */
int memory_new(uint64_t size);
/** raise_vector - raise the device's vector, and wait until the server has handled it. */
void raise_vector(unsigned vector);
void close_all(const int *fds, size_t count);

/**
 * expect_fds - wait until this process has @count descriptors
 *
 * The server closes descriptors of unknown kinds asynchronously.
 */
void expect_fds(size_t count);

#endif
