/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * poll() copies the list with each call, and enters the thread in the wait queue of each descriptor.
 * Most waits are for the list of the wait before: then an epoll has the descriptors already, and the
 * thread is entered in one queue.
 *
 * The first wait for a list is a poll(), and the second one fills the epoll, which is replaced by a new
 * one when the list changes. So nothing has to be removed from it: a descriptor that is closed here, and
 * open in another process, would stay in an epoll, and could not be removed any more. While the epoll
 * cannot be filled, because of a descriptor that is none or for lack of descriptors, each wait is a
 * poll().
 *
 * Events are level-triggered (no EPOLLET), as with poll(): what was not handled is reported again.
 */
#include "vfio-user/wait-list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

_Static_assert(
	EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
	"the events of poll() are those of an epoll");

struct vu_wait {
	int queue;   /* -1: none */
	bool filled; /* it has the descriptors of the list */
	struct vu_wait_entry list[VU_WAIT_ENTRIES_MAX];
	size_t count;
};

static void empty_queue(struct vu_wait *wait)
{
	if (wait->queue >= 0)
		close(wait->queue);
	wait->queue = epoll_create1(EPOLL_CLOEXEC);
	wait->filled = false;
}

struct vu_wait *vu_wait_create(void)
{
	struct vu_wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return NULL;
	wait->queue = epoll_create1(EPOLL_CLOEXEC);
	if (wait->queue >= 0)
		return wait;
	free(wait);
	return NULL;
}

void vu_wait_destroy(struct vu_wait *wait)
{
	if (!wait)
		return;
	if (wait->queue >= 0)
		close(wait->queue);
	free(wait);
}

static bool is_list(const struct vu_wait *wait, const struct vu_wait_entry *entries, size_t count)
{
	if (count != wait->count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!vu_wait_is_same(&wait->list[i], &entries[i]))
			return false;
	return true;
}

static void fill_queue(struct vu_wait *wait)
{
	if (wait->queue < 0)
		empty_queue(wait);
	wait->filled = wait->queue >= 0;
	for (size_t i = 0; i < wait->count && wait->filled; i++) {
		struct epoll_event event = { .events = (uint32_t)wait->list[i].events,
			.data = { .u64 = i } };

		if (wait->list[i].fd >= 0 &&
			epoll_ctl(wait->queue, EPOLL_CTL_ADD, wait->list[i].fd, &event) != 0)
			empty_queue(wait);
	}
}

static int wait_by_queue(struct vu_wait *wait, struct vu_wait_entry *entries, int timeout_ms)
{
	struct epoll_event events[VU_WAIT_ENTRIES_MAX];
	int ready = epoll_wait(wait->queue, events, VU_WAIT_ENTRIES_MAX, timeout_ms);

	for (size_t i = 0; i < wait->count && ready >= 0; i++)
		entries[i].revents = 0;
	for (int i = 0; i < ready; i++)
		entries[events[i].data.u64].revents = (short)events[i].events;
	return ready;
}

int vu_wait_for(struct vu_wait *wait, struct vu_wait_entry *entries, size_t count, int timeout_ms)
{
	if (!is_list(wait, entries, count)) {
		if (wait->filled)
			empty_queue(wait);
		memcpy(wait->list, entries, count * sizeof(*entries));
		wait->count = count;
	} else if (!wait->filled) {
		fill_queue(wait);
	}
	return wait->filled ? wait_by_queue(wait, entries, timeout_ms) :
			      vu_wait_by_poll(entries, count, timeout_ms);
}
