/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupt notifications of the client library, on a fake IOKit that completes calls when the
 * test requests it, and records how its port is used.
 */
#include "tests/lib/cmocka-all.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>

#define CONNECTION 0x55u
#define PORT_NAME  0x66u

static bool complete(IOReturn result);

/* --- The fake ----------------------------------------------------------------- */

struct IONotificationPort {
	dispatch_queue_t queue;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Protected by the lock. */
static unsigned ports, calls, calls_on_no_port;
static kern_return_t answer;
static IOAsyncCallback0 callout; /* armed */
static void *refcon;
static dispatch_queue_t queue; /* of the one port */
static sem_t *handler_ran;     /* complete as soon as armed, and wait for the handler */
static sem_t *call_begun, *call_may_return; /* where calls block, or NULL */

IONotificationPortRef IONotificationPortCreate(mach_port_t main_port)
{
	IONotificationPortRef port = calloc(1, sizeof(*port));

	assert_int_equal(main_port, kIOMainPortDefault);
	assert_non_null(port);
	pthread_mutex_lock(&lock);
	ports++;
	pthread_mutex_unlock(&lock);
	return port;
}

void IONotificationPortDestroy(IONotificationPortRef port)
{
	pthread_mutex_lock(&lock);
	ports--;
	callout = NULL;
	queue = NULL;
	pthread_mutex_unlock(&lock);
	free(port);
}

void IONotificationPortSetDispatchQueue(IONotificationPortRef port, dispatch_queue_t new_queue)
{
	pthread_mutex_lock(&lock);
	port->queue = new_queue;
	queue = new_queue;
	pthread_mutex_unlock(&lock);
}

mach_port_t IONotificationPortGetMachPort(IONotificationPortRef port)
{
	mach_port_t name;

	pthread_mutex_lock(&lock);
	name = port->queue ? PORT_NAME : MACH_PORT_NULL;
	pthread_mutex_unlock(&lock);
	return name;
}

kern_return_t IOConnectCallAsyncScalarMethod(mach_port_t connect, uint32_t selector,
	mach_port_t wake_port, uint64_t *reference, uint32_t reference_count, const uint64_t *input,
	uint32_t input_count, uint64_t *output, uint32_t *output_count)
{
	kern_return_t status;

	(void)input, (void)output, (void)output_count;
	assert_int_equal(connect, CONNECTION);
	assert_int_equal(selector, DEXT_SELECTOR_WaitInterrupt);
	assert_int_equal(wake_port, PORT_NAME);
	assert_int_equal(reference_count, kIOAsyncCalloutCount);
	assert_int_equal(input_count, 0);
	if (call_begun) {
		sem_post(call_begun);
		while (sem_wait(call_may_return) != 0)
			;
	}
	pthread_mutex_lock(&lock);
	calls++;
	calls_on_no_port += !ports;
	status = answer;
	if (status == kIOReturnSuccess) {
		callout = (IOAsyncCallback0)(uintptr_t)reference[kIOAsyncCalloutFuncIndex];
		refcon = (void *)(uintptr_t)reference[kIOAsyncCalloutRefconIndex];
	}
	pthread_mutex_unlock(&lock);
	if (handler_ran) {
		sem_t *ran = handler_ran;

		handler_ran = NULL;
		assert_true(complete(kIOReturnSuccess));
		while (sem_wait(ran) != 0)
			;
	}
	return status;
}

struct event {
	IOAsyncCallback0 callout;
	void *refcon;
	IOReturn result;
};

static void deliver(void *context)
{
	struct event *event = context;

	event->callout(event->refcon, event->result);
	free(event);
}

/* Complete the armed call, as the driver does. Return: false when none is armed. */
static bool complete(IOReturn result)
{
	struct event *event = calloc(1, sizeof(*event));
	bool armed;

	pthread_mutex_lock(&lock);
	armed = callout != NULL;
	if (armed) {
		*event = (struct event){ callout, refcon, result };
		callout = NULL;
		dispatch_async_f(queue, event, deliver);
	}
	pthread_mutex_unlock(&lock);
	if (!armed)
		free(event);
	return armed;
}

/* --- The tests ---------------------------------------------------------------- */

static struct handler {
	AppleDextInterruptNotify *notify;
	unsigned runs;
	bool destroy, rearm, hold;
	kern_return_t rearmed;
	unsigned statuses; /* calls of note_status() */
	kern_return_t last_status;
	sem_t ran, go_on;
} handler;

static void note_status(void *opaque, kern_return_t status)
{
	struct handler *own = opaque;

	own->statuses++;
	own->last_status = status;
	if (own->destroy)
		apple_dext_interrupt_notify_destroy(own->notify);
	sem_post(&own->ran);
}

static void handle(void *opaque)
{
	struct handler *own = opaque;

	own->runs++;
	if (own->hold) {
		sem_post(&own->ran);
		while (sem_wait(&own->go_on) != 0)
			;
	}
	if (own->rearm)
		own->rearmed = apple_dext_interrupt_notify_rearm(own->notify);
	if (own->destroy) {
		apple_dext_interrupt_notify_destroy(own->notify);
		own->rearmed = apple_dext_interrupt_notify_rearm(own->notify);
	}
	if (!own->hold)
		sem_post(&own->ran);
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0)
		;
}

static int setup(void **state)
{
	(void)state;
	handler = (struct handler){ .runs = 0 };
	sem_init(&handler.ran, 0, 0);
	sem_init(&handler.go_on, 0, 0);
	ports = calls = calls_on_no_port = 0;
	callout = NULL;
	answer = kIOReturnSuccess;
	call_begun = call_may_return = handler_ran = NULL;
	return 0;
}

static AppleDextInterruptNotify *create(void)
{
	handler.notify = apple_dext_interrupt_notify_create(CONNECTION, handle, &handler);
	return handler.notify;
}

static unsigned port_count(void)
{
	unsigned count;

	pthread_mutex_lock(&lock);
	count = ports;
	pthread_mutex_unlock(&lock);
	return count;
}

static void test_it_is_armed_once_at_creation(void **state)
{
	(void)state;
	assert_non_null(create());
	assert_int_equal(calls, 1);
	assert_true(complete(kIOReturnSuccess));
	wait_for(&handler.ran);
	assert_false(complete(kIOReturnSuccess)); /* one-shot */
	assert_int_equal(apple_dext_interrupt_notify_rearm(handler.notify), kIOReturnSuccess);
	assert_true(complete(kIOReturnSuccess));
	wait_for(&handler.ran);
	assert_int_equal(handler.runs, 2);
	apple_dext_interrupt_notify_destroy(handler.notify);
	assert_int_equal(port_count(), 0);
}

/*
 * Interrupts are pending at creation: the handler runs before the call returns, and uses the
 * notification.
 */
static void test_the_handler_gets_the_new_notification(void **state)
{
	(void)state;
	handler.rearm = true;
	handler_ran = &handler.ran;
	assert_int_equal(apple_dext_interrupt_notify_create_into(
				 CONNECTION, handle, &handler, &handler.notify),
		kIOReturnSuccess);
	assert_int_equal(handler.runs, 1);
	assert_int_equal(handler.rearmed, kIOReturnSuccess);
	apple_dext_interrupt_notify_destroy(handler.notify);

	/* The handler may even destroy it before the creation returns. */
	handler = (struct handler){ .destroy = true };
	sem_init(&handler.ran, 0, 0);
	handler_ran = &handler.ran;
	assert_int_equal(apple_dext_interrupt_notify_create_into(
				 CONNECTION, handle, &handler, &handler.notify),
		kIOReturnSuccess);
	assert_int_equal(handler.rearmed, kIOReturnAborted);
	while (port_count())
		sched_yield();
}

static void test_creation_reports_errors(void **state)
{
	AppleDextInterruptNotify *notify = (AppleDextInterruptNotify *)&handler;

	(void)state;
	assert_int_equal(apple_dext_interrupt_notify_create_into(CONNECTION, handle, NULL, NULL),
		kIOReturnBadArgument);
	assert_int_equal(
		apple_dext_interrupt_notify_create_into(IO_OBJECT_NULL, handle, NULL, &notify),
		kIOReturnBadArgument);
	assert_null(notify);
	assert_int_equal(apple_dext_interrupt_notify_create_into(CONNECTION, NULL, NULL, &notify),
		kIOReturnBadArgument);
	answer = kIOReturnNotReady;
	notify = (AppleDextInterruptNotify *)&handler;
	assert_int_equal(apple_dext_interrupt_notify_create_into(CONNECTION, handle, NULL, &notify),
		kIOReturnNotReady);
	assert_null(notify);
	assert_int_equal(port_count(), 0);
}

static void test_arguments_and_refusals(void **state)
{
	(void)state;
	assert_null(apple_dext_interrupt_notify_create(IO_OBJECT_NULL, handle, NULL));
	assert_null(apple_dext_interrupt_notify_create(CONNECTION, NULL, NULL));
	assert_int_equal(apple_dext_interrupt_notify_rearm(NULL), kIOReturnBadArgument);
	apple_dext_interrupt_notify_destroy(NULL);
	answer = kIOReturnNotReady;
	assert_null(create());
	assert_int_equal(port_count(), 0);
	answer = kIOReturnSuccess;
	assert_non_null(create());
	answer = MACH_SEND_INVALID_DEST;
	assert_int_equal(apple_dext_interrupt_notify_rearm(handler.notify), MACH_SEND_INVALID_DEST);
	apple_dext_interrupt_notify_destroy(handler.notify);
	assert_int_equal(handler.runs, 0);
}

static void test_rearmed_from_inside(void **state)
{
	(void)state;
	handler.rearm = true;
	assert_non_null(create());
	for (unsigned i = 1; i <= 100; i++) {
		assert_true(complete(kIOReturnSuccess));
		wait_for(&handler.ran);
		assert_int_equal(handler.rearmed, kIOReturnSuccess);
		assert_int_equal(handler.runs, i);
	}
	apple_dext_interrupt_notify_destroy(handler.notify);
}

static void test_destroyed_from_inside(void **state)
{
	(void)state;
	handler.destroy = true;
	assert_non_null(create());
	assert_true(complete(kIOReturnSuccess));
	wait_for(&handler.ran);
	assert_int_equal(handler.rearmed, kIOReturnAborted);
	/* It is freed when the handler returns, on the queue's thread. */
	while (port_count())
		sched_yield();
	assert_false(complete(kIOReturnSuccess));
	assert_int_equal(handler.runs, 1);
}

/* A completion in flight at the destruction runs no handler. */
static void nothing(void *context)
{
	(void)context;
}

static void hold_queue(void *context)
{
	(void)context;
	sem_post(&handler.ran);
	wait_for(&handler.go_on);
}

static void *destroy(void *context)
{
	apple_dext_interrupt_notify_destroy(handler.notify);
	sem_post(context);
	return NULL;
}

static void test_destroyed_with_a_completion_in_flight(void **state)
{
	pthread_t thread;
	sem_t destroyed;

	(void)state;
	sem_init(&destroyed, 0, 0);
	assert_non_null(create());
	dispatch_async_f(queue, NULL, hold_queue);
	wait_for(&handler.ran);
	assert_true(complete(kIOReturnSuccess));
	assert_int_equal(pthread_create(&thread, NULL, destroy, &destroyed), 0);
	/* Wait until it is marked as destroyed; it then waits for the queue. */
	while (apple_dext_interrupt_notify_rearm(handler.notify) != kIOReturnAborted)
		sched_yield();
	assert_int_not_equal(sem_trywait(&destroyed), 0);
	sem_post(&handler.go_on);
	pthread_join(thread, NULL);
	assert_int_equal(handler.runs, 0);
	assert_int_equal(port_count(), 0);
}

/*
 * Destroyed by one thread while the handler runs on the queue's thread: it waits for the handler.
 */
static void test_destroyed_while_the_handler_runs(void **state)
{
	pthread_t thread;
	sem_t destroyed;

	(void)state;
	sem_init(&destroyed, 0, 0);
	handler.hold = handler.rearm = true;
	assert_non_null(create());
	assert_true(complete(kIOReturnSuccess));
	wait_for(&handler.ran);
	assert_int_equal(pthread_create(&thread, NULL, destroy, &destroyed), 0);
	while (apple_dext_interrupt_notify_rearm(handler.notify) != kIOReturnAborted)
		sched_yield();
	assert_int_not_equal(sem_trywait(&destroyed), 0);
	sem_post(&handler.go_on);
	pthread_join(thread, NULL);
	assert_int_equal(handler.runs, 1);
	assert_int_equal(handler.rearmed, kIOReturnAborted);
	assert_int_equal(port_count(), 0);
}

/* The same while the handler arms: the port exists until the call returns. */
static void test_destroyed_while_the_handler_arms(void **state)
{
	static sem_t begun, goes_on;
	pthread_t thread;
	sem_t destroyed;

	(void)state;
	sem_init(&destroyed, 0, 0);
	sem_init(&begun, 0, 0);
	sem_init(&goes_on, 0, 0);
	handler.rearm = true;
	assert_non_null(create());
	call_begun = &begun;
	call_may_return = &goes_on;
	assert_true(complete(kIOReturnSuccess));
	wait_for(&begun);
	call_begun = NULL;
	assert_int_equal(pthread_create(&thread, NULL, destroy, &destroyed), 0);
	while (apple_dext_interrupt_notify_rearm(handler.notify) != kIOReturnAborted)
		sched_yield();
	for (int i = 0; i < 1000; i++) /* time for a race to appear */
		sched_yield();
	assert_int_equal(port_count(), 1);
	sem_post(&goes_on);
	pthread_join(thread, NULL);
	assert_int_equal(handler.rearmed, kIOReturnSuccess);
	assert_int_equal(calls_on_no_port, 0);
	assert_int_equal(port_count(), 0);
}

/* A completion with an error is not an interrupt. */
static void test_failed_completions(void **state)
{
	(void)state;
	assert_non_null(create());
	assert_true(complete(kIOReturnAborted));
	dispatch_sync_f(queue, NULL, nothing);
	assert_int_equal(handler.runs, 0);
	apple_dext_interrupt_notify_destroy(handler.notify);
}

static kern_return_t handle_statuses(void)
{
	return apple_dext_interrupt_notify_set_status_handler(handler.notify, note_status);
}

static void test_the_removal_is_reported_once(void **state)
{
	(void)state;
	assert_non_null(create());
	assert_int_equal(handle_statuses(), kIOReturnSuccess);
	assert_true(complete(kIOReturnOffline));
	wait_for(&handler.ran);
	assert_int_equal(handler.last_status, kIOReturnOffline);
	assert_int_equal(handle_statuses(), kIOReturnSuccess);
	answer = kIOReturnOffline;
	assert_int_equal(apple_dext_interrupt_notify_rearm(handler.notify), kIOReturnOffline);
	dispatch_sync_f(queue, NULL, nothing);
	assert_int_equal(handler.statuses, 1);
	assert_int_equal(handler.runs, 0);
	apple_dext_interrupt_notify_destroy(handler.notify);
	assert_int_equal(port_count(), 0);
}

/* Removed before anybody asks, and while the handler of interrupts runs: nothing is armed then. */
static void test_a_removal_that_was_early_is_reported(void **state)
{
	(void)state;
	assert_non_null(create());
	assert_true(complete(kIOReturnOffline));
	dispatch_sync_f(queue, NULL, nothing);
	assert_int_equal(handle_statuses(), kIOReturnSuccess);
	wait_for(&handler.ran);
	assert_int_equal(handler.last_status, kIOReturnOffline);
	apple_dext_interrupt_notify_destroy(handler.notify);

	setup(NULL);
	assert_non_null(create());
	assert_int_equal(handle_statuses(), kIOReturnSuccess);
	answer = kIOReturnOffline;
	handler.rearm = true;
	assert_true(complete(kIOReturnSuccess));
	wait_for(&handler.ran);
	wait_for(&handler.ran);
	assert_int_equal(handler.runs, 1);
	assert_int_equal(handler.rearmed, kIOReturnOffline);
	assert_int_equal(handler.statuses, 1);
	assert_int_equal(handler.last_status, kIOReturnOffline);
	apple_dext_interrupt_notify_destroy(handler.notify);
	assert_int_equal(port_count(), 0);
}

/* An error of the device has used the armed call up: it is armed again. */
static void test_interrupts_go_on_after_an_error(void **state)
{
	(void)state;
	assert_non_null(create());
	assert_int_equal(handle_statuses(), kIOReturnSuccess);
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(complete(kIOReturnDeviceError));
		wait_for(&handler.ran);
		assert_int_equal(handler.statuses, i);
		assert_int_equal(handler.last_status, kIOReturnDeviceError);
	}
	assert_true(complete(kIOReturnSuccess));
	wait_for(&handler.ran);
	assert_int_equal(handler.runs, 1);
	apple_dext_interrupt_notify_destroy(handler.notify);
}

static void test_status_handlers_and_destruction(void **state)
{
	(void)state;
	assert_int_equal(apple_dext_interrupt_notify_set_status_handler(NULL, note_status),
		kIOReturnBadArgument);
	/* By the handler itself. */
	handler.destroy = true;
	assert_non_null(create());
	assert_int_equal(handle_statuses(), kIOReturnSuccess);
	assert_true(complete(kIOReturnOffline));
	wait_for(&handler.ran);
	while (port_count())
		sched_yield();
	assert_int_equal(handler.statuses, 1);

	/* The end is queued behind the handler that destroys it. */
	setup(NULL);
	handler.rearm = handler.destroy = true;
	assert_non_null(create());
	assert_int_equal(handle_statuses(), kIOReturnSuccess);
	answer = kIOReturnOffline;
	assert_true(complete(kIOReturnSuccess));
	wait_for(&handler.ran);
	while (port_count())
		sched_yield();
	assert_int_equal(handler.statuses, 0);
}

#define EACH(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_it_is_armed_once_at_creation),
		EACH(test_arguments_and_refusals),
		EACH(test_the_handler_gets_the_new_notification),
		EACH(test_creation_reports_errors),
		EACH(test_rearmed_from_inside),
		EACH(test_destroyed_from_inside),
		EACH(test_destroyed_with_a_completion_in_flight),
		EACH(test_destroyed_while_the_handler_runs),
		EACH(test_destroyed_while_the_handler_arms),
		EACH(test_failed_completions),
		EACH(test_the_removal_is_reported_once),
		EACH(test_a_removal_that_was_early_is_reported),
		EACH(test_interrupts_go_on_after_an_error),
		EACH(test_status_handlers_and_destruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
