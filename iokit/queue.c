/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Serial dispatch queues. Each has one thread, started with its first work or source, which waits
 * for both in poll().
 */
#include "iokit/queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct work {
	STAILQ_ENTRY(work) link;
	dispatch_function_t function;
	void *context;
	sem_t *done; /* of dispatch_sync_f, else NULL */
};

struct iou_source {
	TAILQ_ENTRY(iou_source) link;
	int fd;
	bool removed; /* the thread has to free it and release the owner */
	void (*ready)(struct iou_object *owner);
	struct iou_object *owner;
};

struct dispatch_queue_s {
	atomic_uint references;
	int wake; /* eventfd: something below has changed */
	char label[16];
	/* The lock guards what follows; it is not held while work or a source runs. */
	pthread_mutex_t lock;
	bool running;  /* the thread exists */
	bool released; /* the thread shall free the queue and exit */
	pthread_t thread;
	STAILQ_HEAD(, work) work;
	TAILQ_HEAD(, iou_source) sources;
	unsigned source_count;
};

static _Thread_local dispatch_queue_t current;

dispatch_queue_t dispatch_queue_create(const char *label, dispatch_queue_attr_t attr)
{
	dispatch_queue_t queue;

	(void)attr;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return NULL;
	queue->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->wake < 0) {
		free(queue);
		return NULL;
	}
	atomic_init(&queue->references, 1);
	snprintf(queue->label, sizeof(queue->label), "%s", label ? label : "dispatch");
	pthread_mutex_init(&queue->lock, NULL);
	STAILQ_INIT(&queue->work);
	TAILQ_INIT(&queue->sources);
	return queue;
}

static void queue_free(dispatch_queue_t queue)
{
	struct iou_source *source;

	while ((source = TAILQ_FIRST(&queue->sources))) {
		TAILQ_REMOVE(&queue->sources, source, link);
		iou_object_release(source->owner);
		free(source);
	}
	pthread_mutex_destroy(&queue->lock);
	close(queue->wake);
	free(queue);
}

static void wake(dispatch_queue_t queue)
{
	uint64_t one = 1;

	/* It fails only when the counter is full; then the thread is woken already. */
	(void)!write(queue->wake, &one, sizeof(one));
}

static void run_work(dispatch_queue_t queue, struct work *work)
{
	sem_t *done = work->done;

	pthread_mutex_unlock(&queue->lock);
	work->function(work->context);
	if (done)
		sem_post(done); /* the work is on the stack of dispatch_sync_f() */
	else
		free(work);
	pthread_mutex_lock(&queue->lock);
}

/* Free removed sources, without the lock, since freeing an owner may call into the queue. */
static void free_removed_sources(dispatch_queue_t queue)
{
	struct iou_source *source, *next;

	for (source = TAILQ_FIRST(&queue->sources); source; source = next) {
		next = TAILQ_NEXT(source, link);
		if (!source->removed)
			continue;
		TAILQ_REMOVE(&queue->sources, source, link);
		queue->source_count--;
		pthread_mutex_unlock(&queue->lock);
		iou_object_release(source->owner);
		free(source);
		pthread_mutex_lock(&queue->lock);
		next = TAILQ_FIRST(&queue->sources);
	}
}

/*
 * Wait for work or a readable source, then run the readable sources. Only this thread removes
 * sources from the list, so they stay valid while the lock is not held.
 */
static void wait_and_run_sources(dispatch_queue_t queue)
{
	unsigned count = queue->source_count, n = 0;
	struct pollfd *polled = calloc(count + 1, sizeof(*polled));
	struct iou_source **order = calloc(count + 1, sizeof(*order));
	struct iou_source *source;
	uint64_t counter;

	if (!polled || !order) {
		count = 0; /* without memory: poll the eventfd only, and try again */
	} else {
		TAILQ_FOREACH (source, &queue->sources, link) {
			order[n] = source;
			polled[++n] = (struct pollfd){ .fd = source->fd, .events = POLLIN };
		}
		count = n;
	}
	struct pollfd single = { .fd = queue->wake, .events = POLLIN };

	if (polled)
		polled[0] = single;
	pthread_mutex_unlock(&queue->lock);
	if (poll(count ? polled : &single, count + 1, count || polled ? -1 : 100) > 0 &&
		(count ? polled : &single)->revents)
		(void)!read(queue->wake, &counter, sizeof(counter));
	pthread_mutex_lock(&queue->lock);
	for (n = 0; n < count; n++) {
		if (!polled[n + 1].revents || order[n]->removed)
			continue;
		pthread_mutex_unlock(&queue->lock);
		order[n]->ready(order[n]->owner);
		pthread_mutex_lock(&queue->lock);
	}
	free(polled);
	free(order);
}

static void *queue_thread(void *argument)
{
	dispatch_queue_t queue = argument;
	struct work *work;

	current = queue;
	pthread_setname_np(pthread_self(), queue->label);
	pthread_mutex_lock(&queue->lock);
	for (;;) {
		free_removed_sources(queue);
		work = STAILQ_FIRST(&queue->work);
		if (work) {
			STAILQ_REMOVE_HEAD(&queue->work, link);
			run_work(queue, work);
		} else if (queue->released) {
			break;
		} else {
			wait_and_run_sources(queue);
		}
	}
	pthread_mutex_unlock(&queue->lock);
	queue_free(queue);
	return NULL;
}

/* Start the thread if it is not running. The lock is held. */
static void ensure_thread(dispatch_queue_t queue)
{
	pthread_attr_t attributes;

	if (queue->running)
		return;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&queue->thread, &attributes, queue_thread, queue) != 0) {
		fputs("dispatch: cannot create the thread of a queue\n", stderr);
		abort(); /* as Apple's: the calls that need one cannot return an error */
	}
	pthread_attr_destroy(&attributes);
	queue->running = true;
}

void dispatch_retain(dispatch_queue_t queue)
{
	atomic_fetch_add(&queue->references, 1);
}

void dispatch_release(dispatch_queue_t queue)
{
	bool running;

	if (atomic_fetch_sub(&queue->references, 1) != 1)
		return;
	pthread_mutex_lock(&queue->lock);
	running = queue->running;
	queue->released = true;
	if (running)
		wake(queue); /* under the lock: afterwards the thread may free the queue */
	pthread_mutex_unlock(&queue->lock);
	if (!running)
		queue_free(queue);
}

static void enqueue(dispatch_queue_t queue, struct work *work)
{
	pthread_mutex_lock(&queue->lock);
	STAILQ_INSERT_TAIL(&queue->work, work, link);
	ensure_thread(queue);
	wake(queue);
	pthread_mutex_unlock(&queue->lock);
}

void dispatch_async_f(dispatch_queue_t queue, void *context, dispatch_function_t function)
{
	struct work *work = calloc(1, sizeof(*work));

	if (!work)
		abort(); /* as Apple's: the call cannot return an error */
	work->function = function;
	work->context = context;
	enqueue(queue, work);
}

void dispatch_sync_f(dispatch_queue_t queue, void *context, dispatch_function_t function)
{
	struct work work = { .function = function, .context = context };
	sem_t done;

	if (current == queue) {
		fputs("dispatch: dispatch_sync_f on the current queue would "
		      "deadlock\n",
			stderr);
		abort();
	}
	sem_init(&done, 0, 0);
	work.done = &done;
	enqueue(queue, &work);
	while (sem_wait(&done) != 0 && errno == EINTR)
		;
	sem_destroy(&done);
}

struct iou_source *iou_source_add(dispatch_queue_t queue, int fd,
	void (*ready)(struct iou_object *owner), struct iou_object *owner)
{
	struct iou_source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->fd = fd;
	source->ready = ready;
	source->owner = owner;
	iou_object_retain(owner);
	pthread_mutex_lock(&queue->lock);
	TAILQ_INSERT_TAIL(&queue->sources, source, link);
	queue->source_count++;
	ensure_thread(queue);
	wake(queue);
	pthread_mutex_unlock(&queue->lock);
	return source;
}

void iou_source_remove(dispatch_queue_t queue, struct iou_source *source)
{
	pthread_mutex_lock(&queue->lock);
	source->removed = true;
	wake(queue);
	pthread_mutex_unlock(&queue->lock);
}
