/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/kqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

/* What a queue waits for. */
struct note {
	int fd;
	int16_t filter;
	void *data;
	uint64_t id; /* no two notes of a process have the same */
};

#define NOTES_MAX 64

struct queue {
	LIST_ENTRY(queue) link;
	int fd; /* an eventfd: signalled when a note is forgotten */
	struct note notes[NOTES_MAX];
	size_t count;
};

/* Guards the list, and all queues. Not held while a thread waits. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, queue) queues = LIST_HEAD_INITIALIZER(queues);
static uint64_t last_id;
static unsigned changes_asked;

static _Noreturn void unknown(const char *what, long value)
{
	fprintf(stderr, "kqueue: %s %#lx is not in the double\n", what, value);
	abort();
}

int kqueue(void)
{
	struct queue *queue = calloc(1, sizeof(*queue));
	int fd = queue ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

	if (fd < 0) {
		free(queue);
		return -1;
	}
	queue->fd = fd;
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&queues, queue, link);
	pthread_mutex_unlock(&lock);
	return fd;
}

/* --- Of one queue; the lock is held ---------------------------------------------------- */

static struct queue *find_queue(int fd)
{
	struct queue *queue;

	LIST_FOREACH (queue, &queues, link)
		if (queue->fd == fd)
			return queue;
	return NULL;
}

static struct note *find_note(struct queue *queue, int fd, int16_t filter)
{
	for (size_t i = 0; i < queue->count; i++)
		if (queue->notes[i].fd == fd && queue->notes[i].filter == filter)
			return &queue->notes[i];
	return NULL;
}

static const struct note *find_id(const struct queue *queue, uint64_t id)
{
	for (size_t i = 0; i < queue->count; i++)
		if (queue->notes[i].id == id)
			return &queue->notes[i];
	return NULL;
}

static void forget(struct queue *queue, struct note *note)
{
	*note = queue->notes[--queue->count];
}

static int add(struct queue *queue, const struct kevent *change)
{
	struct note *note = find_note(queue, (int)change->ident, change->filter);

	/* An open descriptor is needed for a new one alone. */
	if (!note) {
		if (fcntl((int)change->ident, F_GETFD) < 0)
			return EBADF;
		if (queue->count == NOTES_MAX)
			return ENOMEM;
		note = &queue->notes[queue->count++];
		*note = (struct note){
			.fd = (int)change->ident, .filter = change->filter, .id = ++last_id
		};
	}
	note->data = change->udata;
	return 0;
}

static int apply(struct queue *queue, const struct kevent *change)
{
	struct note *note;

	if (change->filter != EVFILT_READ && change->filter != EVFILT_WRITE)
		unknown("filter", change->filter);
	if (change->fflags != 0)
		unknown("flag of a filter", change->fflags);
	if (change->flags == EV_ADD)
		return add(queue, change);
	if (change->flags != EV_DELETE)
		unknown("flag", change->flags);
	note = find_note(queue, (int)change->ident, change->filter);
	if (!note)
		return ENOENT;
	forget(queue, note);
	return 0;
}

/* A list for poll(); the queue's own descriptor comes last. */
static size_t fill_in(const struct queue *queue, struct pollfd *list, uint64_t *ids)
{
	for (size_t i = 0; i < queue->count; i++) {
		const struct note *note = &queue->notes[i];

		list[i] = (struct pollfd){ .fd = note->fd,
			.events = note->filter == EVFILT_READ ? POLLIN | POLLRDHUP : POLLOUT };
		ids[i] = note->id;
	}
	list[queue->count] = (struct pollfd){ .fd = queue->fd, .events = POLLIN };
	return queue->count + 1;
}

static struct kevent event_of(const struct note *note, short revents)
{
	const short over =
		note->filter == EVFILT_READ ? POLLRDHUP | POLLHUP | POLLERR : POLLHUP | POLLERR;

	return (struct kevent){ .ident = (uintptr_t)note->fd,
		.filter = note->filter,
		.flags = (uint16_t)(EV_ADD | ((revents & over) != 0 ? EV_EOF : 0)),
		.udata = note->data };
}

/* Notes that were forgotten meanwhile are left out. */
static int collect(const struct queue *queue, const struct pollfd *list, const uint64_t *ids,
	size_t count, struct kevent *events, int event_count)
{
	int used = 0;

	for (size_t i = 0; i < count && used < event_count; i++) {
		const struct note *note = list[i].revents != 0 ? find_id(queue, ids[i]) : NULL;

		if (note)
			events[used++] = event_of(note, list[i].revents);
	}
	return used;
}

/* --- kevent() -------------------------------------------------------------------------- */

static struct timespec now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time;
}

static struct timespec sum(struct timespec a, struct timespec b, int sign)
{
	struct timespec result = { a.tv_sec + sign * b.tv_sec, a.tv_nsec + sign * b.tv_nsec };

	if (result.tv_nsec >= 1000000000 || result.tv_nsec < 0) {
		result.tv_sec += result.tv_nsec < 0 ? -1 : 1;
		result.tv_nsec += result.tv_nsec < 0 ? 1000000000 : -1000000000;
	}
	return result;
}

/* Called with the lock, and returns with it. @end: NULL: no limit. */
static int wait_for_events(
	int fd, struct kevent *events, int event_count, const struct timespec *end)
{
	struct pollfd list[NOTES_MAX + 1];
	uint64_t ids[NOTES_MAX], signals;
	struct queue *queue;

	while ((queue = find_queue(fd))) {
		struct timespec left = { 0 };
		size_t count = fill_in(queue, list, ids);
		int ready, found;

		if (end)
			left = sum(*end, now(), -1);
		if (left.tv_sec < 0)
			left = (struct timespec){ 0 };
		pthread_mutex_unlock(&lock);
		ready = ppoll(list, count, end ? &left : NULL, NULL);
		pthread_mutex_lock(&lock);
		if (ready <= 0)
			return ready;
		queue = find_queue(fd);
		if (!queue)
			break;
		if (list[count - 1].revents != 0 &&
			read(fd, &signals, sizeof(signals)) != sizeof(signals))
			continue;
		found = collect(queue, list, ids, count - 1, events, event_count);
		if (found > 0)
			return found;
	}
	errno = EBADF;
	return -1;
}

int kevent(int fd, const struct kevent *changes, int change_count, struct kevent *events,
	int event_count, const struct timespec *timeout)
{
	struct timespec end = timeout ? sum(now(), *timeout, 1) : (struct timespec){ 0 };
	struct queue *queue;
	int failed = 0, result;

	pthread_mutex_lock(&lock);
	queue = find_queue(fd);
	for (int i = 0; queue && i < change_count; i++) {
		struct kevent change = changes[i];
		int error = apply(queue, &change);

		changes_asked++;
		if (error == 0)
			continue;
		if (failed == event_count) {
			pthread_mutex_unlock(&lock);
			errno = error;
			return -1;
		}
		change.flags |= EV_ERROR;
		change.data = error;
		events[failed++] = change;
	}
	/* Errors are returned without events, and at once. */
	result = failed;
	if (!queue || (failed == 0 && event_count > 0))
		result = wait_for_events(fd, events, event_count, timeout ? &end : NULL);
	pthread_mutex_unlock(&lock);
	return result;
}

unsigned kqueue_changes(void)
{
	unsigned count;

	pthread_mutex_lock(&lock);
	count = changes_asked;
	pthread_mutex_unlock(&lock);
	return count;
}

void kqueue_closing(int fd)
{
	const uint64_t one = 1;
	struct queue *queue, *closed = NULL;

	pthread_mutex_lock(&lock);
	LIST_FOREACH (queue, &queues, link) {
		bool forgot = false;

		if (queue->fd == fd)
			closed = queue;
		for (size_t i = queue->count; i > 0; i--) {
			if (queue->notes[i - 1].fd != fd)
				continue;
			forget(queue, &queue->notes[i - 1]);
			forgot = true;
		}
		if (forgot && write(queue->fd, &one, sizeof(one)) < 0)
			abort();
	}
	if (closed)
		LIST_REMOVE(closed, link);
	pthread_mutex_unlock(&lock);
	free(closed);
}
