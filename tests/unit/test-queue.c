/* SPDX-License-Identifier: BSD-3-Clause */
/* Serial queues: order, waiting, release in every state, sources. */
#include "iokit/queue.h"
#include "tests/lib/cmocka-all.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0)
		assert_int_equal(errno, EINTR);
}

static void post(void *context)
{
	sem_post(context);
}

static void nothing(void *context)
{
	(void)context;
}

struct log {
	int values[2000];
	size_t count;
	bool running, overlapped;
};

struct entry {
	struct log *log;
	int value;
};

/* Not locked on purpose: the queue serializes the calls. */
static void append_to_log(void *context)
{
	struct entry *entry = context;
	struct log *log = entry->log;

	log->overlapped = log->overlapped || log->running;
	log->running = true;
	log->values[log->count++] = entry->value;
	log->running = false;
}

static void test_work_runs_in_order(void **state)
{
	static struct entry entries[1000];
	static struct log log;
	dispatch_queue_t queue = dispatch_queue_create("order", DISPATCH_QUEUE_SERIAL);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		entries[i] = (struct entry){ &log, i };
		if (i % 100 == 99)
			dispatch_sync_f(queue, &entries[i], append_to_log);
		else
			dispatch_async_f(queue, &entries[i], append_to_log);
	}
	assert_int_equal(log.count, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(log.values[i], i);
	dispatch_release(queue);
}

struct feeder {
	dispatch_queue_t queue;
	struct entry entries[250];
};

static void *feed(void *context)
{
	struct feeder *feeder = context;

	for (size_t i = 0; i < 250; i++)
		if (i % 10)
			dispatch_async_f(feeder->queue, &feeder->entries[i], append_to_log);
		else
			dispatch_sync_f(feeder->queue, &feeder->entries[i], append_to_log);
	return NULL;
}

static void test_one_at_a_time_from_many_threads(void **state)
{
	static struct feeder feeders[4];
	static struct log log;
	dispatch_queue_t queue = dispatch_queue_create(NULL, DISPATCH_QUEUE_SERIAL);
	pthread_t threads[4];
	int last[4] = { -1, -1, -1, -1 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		feeders[i].queue = queue;
		for (int j = 0; j < 250; j++)
			feeders[i].entries[j] = (struct entry){ &log, i * 1000 + j };
		assert_int_equal(pthread_create(&threads[i], NULL, feed, &feeders[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	dispatch_sync_f(queue, NULL, nothing);
	assert_int_equal(log.count, 1000);
	assert_false(log.overlapped);
	for (size_t i = 0; i < log.count; i++) {
		int thread = log.values[i] / 1000, position = log.values[i] % 1000;

		assert_true(position > last[thread]); /* in order for each thread */
		last[thread] = position;
	}
	dispatch_release(queue);
}

struct stage {
	dispatch_queue_t queue;
	sem_t begun, go_on, done;
};

static void hold(void *context)
{
	struct stage *stage = context;

	sem_post(&stage->begun);
	wait_for(&stage->go_on);
}

static void stage_init(struct stage *stage, const char *label)
{
	stage->queue = dispatch_queue_create(label, DISPATCH_QUEUE_SERIAL);
	sem_init(&stage->begun, 0, 0);
	sem_init(&stage->go_on, 0, 0);
	sem_init(&stage->done, 0, 0);
}

/* Work queued before the last release still runs. */
static void test_release_with_work_queued(void **state)
{
	static struct stage stage;

	(void)state;
	stage_init(&stage, "queued");
	dispatch_async_f(stage.queue, &stage, hold);
	wait_for(&stage.begun);
	for (int i = 0; i < 3; i++)
		dispatch_async_f(stage.queue, &stage.done, post);
	dispatch_release(stage.queue);
	sem_post(&stage.go_on);
	for (int i = 0; i < 3; i++)
		wait_for(&stage.done);
}

static void release_own_queue(void *context)
{
	struct stage *stage = context;

	dispatch_release(stage->queue);
}

static void test_release_from_its_own_work(void **state)
{
	static struct stage stage;

	(void)state;
	stage_init(&stage, "own");
	dispatch_async_f(stage.queue, &stage, hold);
	wait_for(&stage.begun);
	dispatch_async_f(stage.queue, &stage, release_own_queue);
	dispatch_async_f(stage.queue, &stage.done, post);
	sem_post(&stage.go_on);
	wait_for(&stage.done);
}

static void test_retained_queues_continue(void **state)
{
	dispatch_queue_t queue = dispatch_queue_create("retained", DISPATCH_QUEUE_SERIAL);
	sem_t done;

	(void)state;
	sem_init(&done, 0, 0);
	dispatch_retain(queue);
	dispatch_release(queue);
	dispatch_sync_f(queue, &done, post);
	assert_int_equal(sem_trywait(&done), 0);
	dispatch_release(queue);
}

static void test_an_unused_queue_can_be_released(void **state)
{
	(void)state;
	dispatch_release(dispatch_queue_create(NULL, DISPATCH_QUEUE_SERIAL));
}

static void wait_for_itself(void *context)
{
	dispatch_sync_f(context, NULL, nothing);
}

/* dispatch_sync_f() would deadlock; it aborts the program. */
static void test_sync_from_its_own_work_aborts(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		dispatch_queue_t queue = dispatch_queue_create("self", DISPATCH_QUEUE_SERIAL);

		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		dispatch_sync_f(queue, queue, wait_for_itself);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* Sources ------------------------------------------------------------------- */

struct bell {
	struct iou_object object;
	int fd;
	sem_t rung, gone;
	bool hold;
	sem_t go_on;
};

static void bell_destroy(struct iou_object *object)
{
	struct bell *bell = (struct bell *)object;

	close(bell->fd);
	sem_post(&bell->gone);
}

static void bell_init(struct bell *bell)
{
	iou_object_init(&bell->object, IOU_PORT, bell_destroy);
	bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(bell->fd >= 0);
	sem_init(&bell->rung, 0, 0);
	sem_init(&bell->gone, 0, 0);
	sem_init(&bell->go_on, 0, 0);
}

static void ring(struct bell *bell)
{
	assert_int_equal(eventfd_write(bell->fd, 1), 0);
}

static void rung(struct iou_object *object)
{
	struct bell *bell = (struct bell *)object;
	eventfd_t count;

	if (eventfd_read(bell->fd, &count) != 0)
		return;
	sem_post(&bell->rung);
	if (bell->hold)
		wait_for(&bell->go_on);
}

static void test_a_source_is_called_whenever_it_is_readable(void **state)
{
	dispatch_queue_t queue = dispatch_queue_create("bell", DISPATCH_QUEUE_SERIAL);
	static struct bell bells[3];
	struct iou_source *sources[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		bell_init(&bells[i]);
		sources[i] = iou_source_add(queue, bells[i].fd, rung, &bells[i].object);
		assert_non_null(sources[i]);
	}
	for (int round = 0; round < 20; round++) {
		ring(&bells[round % 3]);
		wait_for(&bells[round % 3].rung);
		dispatch_sync_f(queue, NULL, nothing); /* work and sources on the same queue */
	}
	for (int i = 0; i < 3; i++) {
		iou_source_remove(queue, sources[i]);
		iou_object_release(&bells[i].object);
		wait_for(&bells[i].gone); /* the source had the last reference */
	}
	dispatch_release(queue);
}

static void test_a_removed_source_is_not_called(void **state)
{
	dispatch_queue_t queue = dispatch_queue_create("removed", DISPATCH_QUEUE_SERIAL);
	static struct bell bell;
	struct iou_source *source;

	(void)state;
	bell_init(&bell);
	source = iou_source_add(queue, bell.fd, rung, &bell.object);
	iou_source_remove(queue, source);
	dispatch_sync_f(queue, NULL, nothing);
	ring(&bell);
	dispatch_sync_f(queue, NULL, nothing);
	dispatch_sync_f(queue, NULL, nothing);
	assert_int_not_equal(sem_trywait(&bell.rung), 0);
	iou_object_release(&bell.object);
	wait_for(&bell.gone);
	dispatch_release(queue);
}

/* Removed, and the queue released, while its callout runs: the owner is freed after the callout. */
static void test_the_queue_is_released_while_a_source_runs(void **state)
{
	dispatch_queue_t queue = dispatch_queue_create("going", DISPATCH_QUEUE_SERIAL);
	static struct bell bell;
	struct iou_source *source;

	(void)state;
	bell_init(&bell);
	bell.hold = true;
	source = iou_source_add(queue, bell.fd, rung, &bell.object);
	ring(&bell);
	wait_for(&bell.rung);
	iou_source_remove(queue, source);
	iou_object_release(&bell.object);
	dispatch_release(queue);
	assert_int_not_equal(sem_trywait(&bell.gone), 0);
	sem_post(&bell.go_on);
	wait_for(&bell.gone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* It forks: run it before a thread is created. */
		cmocka_unit_test(test_sync_from_its_own_work_aborts),
		cmocka_unit_test(test_work_runs_in_order),
		cmocka_unit_test(test_one_at_a_time_from_many_threads),
		cmocka_unit_test(test_release_with_work_queued),
		cmocka_unit_test(test_release_from_its_own_work),
		cmocka_unit_test(test_retained_queues_continue),
		cmocka_unit_test(test_an_unused_queue_can_be_released),
		cmocka_unit_test(test_a_source_is_called_whenever_it_is_readable),
		cmocka_unit_test(test_a_removed_source_is_not_called),
		cmocka_unit_test(test_the_queue_is_released_while_a_source_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
