/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The function in which the server's thread waits. There is one, so that in each wait the server
 * can be stopped, refuses second clients, receives INTx unmasks, and checks its device at
 * intervals.
 */
#ifndef VFIO_USER_LOOP_H
#define VFIO_USER_LOOP_H

#include "common/poll-policy.h"
#include "vfio-user/irq.h"
#include "vfio-user/wait.h"

#include <stdbool.h>

struct vu_loop {
	struct vu_wait *wait; /* the loop's alone while it runs */
	int stop_fd;	      /* readable when the server is to stop */
	int listen_fd;	      /* -1: none */
	struct vu_irq *irq;   /* NULL: none */
	unsigned poll_us;     /* how long to poll for a message before sleeping; 0: not at all */
	/* The loop's own: until when it polls (0: it does not), how often it did, and what it learned. */
	bool shortage;	  /* likewise: no descriptors or memory to accept with */
	unsigned clients; /* that it has served, with the present one */
	uint64_t poll_until;
	unsigned polls;
	struct poll_policy policy;
	const char *name; /* of the device, for the log */
	/*
	 * Called every @tick_ms while it waits. Returns false when no client is wanted any more:
	 * neither the one that is there nor another.
	 */
	bool (*tick)(void *context); /* NULL: nothing */
	void *tick_context;
	unsigned tick_ms;   /* 0: VU_TICK_MS */
	uint64_t next_tick; /* the loop's own: when, in ms */
};

#define VU_TICK_MS 1000u

/**
 * vu_loop_wait - wait for a client's socket (vu_channel.wait)
 * @context: the loop
 * @events: POLLIN or POLLOUT
 * @again: the last call has returned true, and since then nothing has come
 *
 * Where messages have been coming quickly it does not sleep for a short time, since waking up
 * costs more than a message does: it returns at once, so that the caller tries again.
 *
 * Return: true when it may have them, or has failed; false when the server is to stop, or
 * the client is not wanted any more.
 */
bool vu_loop_wait(void *context, int fd, short events, bool again);

/**
 * vu_loop_accept - wait for a client
 *
 * Return: its socket; -1 when the server is to stop; -2 when the listening socket has failed;
 * -3 when none is wanted.
 */
int vu_loop_accept(struct vu_loop *loop);

/**
 * vu_loop_close_client - close the socket of a client
 *
 * Never waits, whatever the client has left in the socket's queue. The client notices at once;
 * the descriptor is closed some time later.
 */
void vu_loop_close_client(int fd);

#endif
