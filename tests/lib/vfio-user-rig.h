/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session of the vfio-user server on one end of a socket pair, in a thread of
 * its own, on the fake client library. The test is the VMM at the other end.
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
	struct vu_client client; /* the VMM; first, so that *state is one; fd: -1 once hung up */
	struct vu_device *device;
	int session_fd;
	int stop[2];
	struct vu_loop loop;
	pthread_t thread;
	bool running;
	int ended[2]; /* a pipe with a byte in it once the session has ended */
	size_t fds_before;
};

/* For cmocka: a new fake and a device. The test begins a session; rig_setup_agreed() has begun one. */
int rig_setup(void **state);
int rig_setup_agreed(void **state);
int rig_setup_calls(void **state); /* likewise, BARs reached by calls */
int rig_setup_line(void **state);  /* likewise, of a device with INTx alone */
int rig_setup_with(void **state, enum vu_bar_access access, bool agreed);
int rig_teardown(void **state);

/** rig_open - make the socket pair: what is sent before the session begins waits in it. */
void rig_open(struct rig *rig);
/** rig_begin - begin a session on it. */
void rig_begin(struct rig *rig);
/** rig_connect - both. */
void rig_connect(struct rig *rig);
/** rig_hang_up - close the VMM's end and wait for the session to end. */
void rig_hang_up(struct rig *rig);
/** rig_wait_end - wait for the session to end by itself. */
void rig_wait_end(struct rig *rig);
/** rig_agree - the version message. */
void rig_agree(struct rig *rig);

/** rig_expect_closed - the session has closed the socket. */
void rig_expect_closed(struct rig *rig);

#define CONNECT (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define DISABLE (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)

/** event_new - an event that does not block, of the kind that the server was built for. */
int event_new(void);
/** event_signal - signal it, as a VMM does. */
void event_signal(int fd);
/** event_fill - signal it until no more will go in. Return: what event_take() will say. */
uint64_t event_fill(int fd);
/** event_take - how often it has been signalled since the last time. */
uint64_t event_take(int fd);
/** memory_new - memory that can be shared: a descriptor. */
int memory_new(uint64_t size);
/** raise_vector - raise the device's vector, and wait until it has been dealt with. */
void raise_vector(unsigned vector);
void close_all(const int *fds, size_t count);

/**
 * expect_fds - this process has @count descriptors
 *
 * Or soon has: the server closes those that it does not know some time later.
 */
void expect_fds(size_t count);

#endif
