/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * macOS implements poll() by a kqueue that it creates for the call: it allocates it, registers
 * every descriptor, waits, and frees all of it again (xnu, bsd/kern/sys_generic.c, poll_nocancel()).
 * Here the queue stays, and a wait for the same descriptors as before is one system call that
 * registers nothing.
 *
 * Events are level-triggered (no EV_CLEAR), as with poll(): what was not handled is reported again.
 */
#include "vfio-user/wait-list.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

/* An entry may have its old descriptor deleted and its new one added. */
#define CHANGES_MAX (2 * VU_WAIT_ENTRIES_MAX)

struct vu_wait {
	int queue;
	struct vu_wait_entry registered[VU_WAIT_ENTRIES_MAX]; /* fd: -1: none */
};

struct vu_wait *vu_wait_create(void)
{
	struct vu_wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return NULL;
	for (size_t i = 0; i < VU_WAIT_ENTRIES_MAX; i++)
		wait->registered[i].fd = -1;
	wait->queue = kqueue(); /* closed on exec */
	if (wait->queue >= 0)
		return wait;
	free(wait);
	return NULL;
}

void vu_wait_destroy(struct vu_wait *wait)
{
	if (!wait)
		return;
	close(wait->queue);
	free(wait);
}

static struct kevent change(const struct vu_wait_entry *entry, size_t index, uint16_t action)
{
	struct kevent event;

	EV_SET(&event, (uintptr_t)entry->fd, entry->events == POLLIN ? EVFILT_READ : EVFILT_WRITE,
		action, 0, 0, (void *)(uintptr_t)index);
	return event;
}

/*
 * What differs from the last wait. Deletions come first: an entry may have the number of a
 * descriptor that another one had, and a queue has each number once.
 */
static int collect_changes(struct vu_wait *wait, const struct vu_wait_entry *entries, size_t count,
	struct kevent *changes)
{
	static const struct vu_wait_entry nothing = { .fd = -1 };
	bool differs[VU_WAIT_ENTRIES_MAX];
	int used = 0;

	for (size_t i = 0; i < VU_WAIT_ENTRIES_MAX; i++) {
		const struct vu_wait_entry *wanted = i < count ? &entries[i] : &nothing;
		struct vu_wait_entry *registered = &wait->registered[i];

		differs[i] = !vu_wait_is_same(registered, wanted);
		if (!differs[i])
			continue;
		if (registered->fd >= 0)
			changes[used++] = change(registered, i, EV_DELETE);
		*registered = *wanted;
	}
	for (size_t i = 0; i < count; i++)
		if (differs[i] && entries[i].fd >= 0)
			changes[used++] = change(&entries[i], i, EV_ADD);
	return used;
}

/*
 * A change that has failed. That there is nothing to delete is as it should be: close() has deleted
 * it. Return: what poll() would say about the entry.
 */
static short change_failed(struct vu_wait *wait, const struct kevent *event)
{
	if ((event->flags & EV_DELETE) != 0)
		return 0;
	wait->registered[(uintptr_t)event->udata].fd = -1;
	return POLLNVAL;
}

/* As poll() of macOS. */
static short happened(const struct kevent *event)
{
	const bool over = (event->flags & EV_EOF) != 0;

	if (event->filter == EVFILT_READ)
		return over ? POLLIN | POLLHUP : POLLIN;
	return over ? POLLHUP : POLLOUT;
}

/* Return: how many entries are ready. */
static int report(
	struct vu_wait *wait, struct vu_wait_entry *entries, const struct kevent *events, int count)
{
	int ready = 0;

	for (int i = 0; i < count; i++) {
		short revents = (events[i].flags & EV_ERROR) != 0 ?
					change_failed(wait, &events[i]) :
					happened(&events[i]);

		if (revents == 0)
			continue;
		entries[(uintptr_t)events[i].udata].revents = revents;
		ready++;
	}
	return ready;
}

int vu_wait_for(struct vu_wait *wait, struct vu_wait_entry *entries, size_t count, int timeout_ms)
{
	struct kevent changes[CHANGES_MAX], events[CHANGES_MAX];
	const struct timespec limit = { .tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000L };
	int changed, got, ready;

	for (size_t i = 0; i < count; i++)
		entries[i].revents = 0;
	changed = collect_changes(wait, entries, count, changes);
	/* When changes have failed, kevent() reports that and does not wait. */
	do {
		got = kevent(wait->queue, changes, changed, events, CHANGES_MAX,
			timeout_ms < 0 ? NULL : &limit);
		changed = 0;
		ready = report(wait, entries, events, got);
	} while (got > 0 && ready == 0);
	return got < 0 ? -1 : ready;
}
