/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting for several descriptors at once: wait-poll.c by poll(); wait-epoll.c by an epoll, and
 * wait-kqueue.c by a kqueue, which keep the descriptors from one wait to the next.
 */
#ifndef VFIO_USER_WAIT_H
#define VFIO_USER_WAIT_H

#include <poll.h>
#include <stddef.h>

struct vu_wait;

/* What one entry of a list waits for, as struct pollfd. */
struct vu_wait_entry {
	int fd; /* negative: nothing */
	/*
	 * Different for each descriptor, since a new one may have the number of a closed one: what
	 * is kept is of the old one then, or has been removed by close().
	 */
	unsigned serial;
	short events; /* POLLIN or POLLOUT */
	short revents;
};

/* Entries of a list. */
#define VU_WAIT_ENTRIES_MAX 8

/** vu_wait_create - get what waiting needs. Return: NULL with errno. */
struct vu_wait *vu_wait_create(void);
/** vu_wait_destroy - free it. NULL is fine. */
void vu_wait_destroy(struct vu_wait *wait);

/**
 * vu_wait_for - wait until an entry is ready, as poll() does
 * @entries: what the same index stands for may change from call to call
 * @count: at most VU_WAIT_ENTRIES_MAX
 * @timeout_ms: -1: no limit
 *
 * One thread at a time. Besides what was asked for, revents may have POLLHUP, POLLERR and POLLNVAL.
 *
 * Return: the number of entries that are ready; -1 with errno.
 */
int vu_wait_for(struct vu_wait *wait, struct vu_wait_entry *entries, size_t count, int timeout_ms);

#endif
