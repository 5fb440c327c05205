/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupt notifications of the client library, on a fake IOKit that completes calls when the
 * test requests it, and records how its port is used. The fake offers the extension of the IRQ
 * state page where a test says so.
 */
#include "client/irq-page.h"
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
static bool stays;	       /* the armed call */
static dispatch_queue_t queue; /* of the one port */
static bool offers_page, offers_arming;
static struct dext_irq_state *page; /* of which the test uses the first bytes */
static unsigned page_mappings;
static sem_t *handler_ran; /* complete as soon as armed, and wait for the handler */
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
	if (selector == DEXT_SELECTOR_ArmInterrupts && !offers_arming)
		return kIOReturnUnsupported;
	if (selector != DEXT_SELECTOR_ArmInterrupts)
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
		stays = selector == DEXT_SELECTOR_ArmInterrupts;
		page->armed = stays;
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

kern_return_t IOConnectMapMemory64(io_connect_t connect, uint32_t memory_type,
	task_port_t into_task, mach_vm_address_t *address, mach_vm_size_t *size,
	IOOptionBits options)
{
	assert_int_equal(connect, CONNECTION);
	assert_int_equal(memory_type, DEXT_MEMORY_IRQ_STATE);
	assert_int_equal(into_task, mach_task_self());
	assert_int_equal(options, kIOMapAnywhere);
	page->features = offers_page ? DEXT_IRQ_TAKES_BY_EXCHANGE : 0;
	page_mappings++;
	*address = (uintptr_t)page;
	*size = DEXT_IRQ_STATE_SIZE;
	return kIOReturnSuccess;
}

kern_return_t apple_dext_unmap_irq_state(io_connect_t connect, mach_vm_address_t address)
{
	assert_int_equal(connect, CONNECTION);
	assert_int_equal(address, (uintptr_t)page);
	page_mappings--;
	return kIOReturnSuccess;
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
		if (!stays || result == kIOReturnOffline)
			callout = NULL;
		dispatch_async_f(queue, event, deliver);
	}
	pthread_mutex_unlock(&lock);
	if (!armed)
		free(event);
	return armed;
}

/* Vector 0 fires, as in a driver that offers the page. Return: whether that completes the call. */
static bool fire(void)
{
	__atomic_fetch_or(&page->pending[0], 1, __ATOMIC_SEQ_CST);
	return __atomic_exchange_n(&page->armed, 0, __ATOMIC_SEQ_CST) && complete(kIOReturnSuccess);
}

/* --- The tests ---------------------------------------------------------------- */

static struct handler {
	AppleDextInterruptNotify *notify;
	unsigned runs;
	bool destroy, rearm, hold, take;
	uint64_t taken;
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
	if (own->take) {
		uint64_t bits[DEXT_IRQ_WORDS];

		assert_true(irq_page_take(CONNECTION, bits));
		own->taken += bits[0];
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
	offers_page = offers_arming = false;
	free(page);
	page = calloc(1, DEXT_IRQ_STATE_SIZE);
	assert_non_null(page);
	page_mappings = 0;
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

/* --- With the extension of the IRQ state page ----------------------------------- */

static void create_with_page(void)
{
	offers_page = offers_arming = true;
	handler.take = handler.rearm = true;
	/* The handler uses the notification. */
	assert_int_equal(apple_dext_interrupt_notify_create_into(
				 CONNECTION, handle, &handler, &handler.notify),
		kIOReturnSuccess);
}

static void destroy_with_page(void)
{
	apple_dext_interrupt_notify_destroy(handler.notify);
	assert_int_equal(port_count(), 0);
	assert_int_equal(page_mappings, 0);
}

static void test_interrupts_make_no_calls(void **state)
{
	(void)state;
	create_with_page();
	for (unsigned i = 1; i <= 100; i++) {
		while (!fire())
			sched_yield(); /* the handler has not armed yet */
		wait_for(&handler.ran);
	}
	assert_int_equal(calls, 1);
	assert_int_equal(handler.rearmed, kIOReturnSuccess);
	destroy_with_page();
}

/* One more run for all that fire while the handler runs, and no completion. */
static void test_interrupts_while_the_handler_runs(void **state)
{
	(void)state;
	create_with_page();
	handler.hold = true;
	assert_true(fire());
	wait_for(&handler.ran);
	for (unsigned i = 0; i < 5; i++)
		assert_false(fire());
	sem_post(&handler.go_on); /* it takes them, and finds nothing pending when it arms */
	dispatch_sync_f(queue, NULL, nothing);
	assert_int_equal(handler.runs, 1);
	assert_int_equal(handler.taken, 1);

	/* As if they had fired between the two. */
	handler.take = false;
	assert_true(fire());
	wait_for(&handler.ran);
	handler.take = false;
	sem_post(&handler.go_on);
	wait_for(&handler.ran);
	assert_int_equal(handler.runs, 3);
	assert_int_equal(page->armed, 0);
	handler.take = true;
	sem_post(&handler.go_on);
	dispatch_sync_f(queue, NULL, nothing);
	assert_int_equal(handler.taken, 2);
	assert_int_equal(page->armed, 1);
	assert_int_equal(calls, 1);
	destroy_with_page();
}

/* It arms with an interrupt pending, then destroys: the run that is queued does not happen. */
static void test_destroyed_with_an_interrupt_pending(void **state)
{
	(void)state;
	create_with_page();
	handler.take = false;
	handler.destroy = true;
	assert_true(fire());
	wait_for(&handler.ran);
	while (port_count())
		sched_yield();
	assert_int_equal(handler.runs, 1);
}

static void test_the_other_notification_arms(void **state)
{
	AppleDextInterruptNotify *second;

	(void)state;
	create_with_page();
	second = apple_dext_interrupt_notify_create(CONNECTION, handle, &handler);
	assert_non_null(second);
	assert_int_equal(page_mappings, 1);
	assert_int_equal(calls, 2);
	/* The first is not the one that the driver notifies: it must call. */
	assert_int_equal(apple_dext_interrupt_notify_rearm(handler.notify), kIOReturnSuccess);
	assert_int_equal(calls, 3);
	assert_int_equal(apple_dext_interrupt_notify_rearm(handler.notify), kIOReturnSuccess);
	assert_int_equal(calls, 3);
	assert_int_equal(apple_dext_interrupt_notify_rearm(second), kIOReturnSuccess);
	assert_int_equal(calls, 4);
	apple_dext_interrupt_notify_destroy(second);
	/* Another may have the address of the second one. */
	assert_int_equal(apple_dext_interrupt_notify_rearm(handler.notify), kIOReturnSuccess);
	assert_int_equal(calls, 5);
	destroy_with_page();
}

static void test_drivers_without_a_part_of_it(void **state)
{
	uint64_t bits[DEXT_IRQ_WORDS];

	(void)state;
	/* The page as it was: it is not used. */
	assert_non_null(create());
	assert_int_equal(page_mappings, 0);
	assert_false(irq_page_take(CONNECTION, bits));
	apple_dext_interrupt_notify_destroy(handler.notify);

	/* Pending bits are taken, and it is armed by calls: INTx. */
	setup(NULL);
	offers_page = true;
	handler.take = handler.rearm = true;
	assert_non_null(create());
	for (unsigned i = 1; i <= 3; i++) {
		__atomic_fetch_or(&page->pending[0], 1, __ATOMIC_SEQ_CST);
		assert_true(complete(kIOReturnSuccess));
		wait_for(&handler.ran);
		assert_int_equal(calls, 1 + i);
	}
	assert_int_equal(handler.taken, 3);
	destroy_with_page();
}

/* Statuses of a call that stays armed; after the last one, calls return why. */
static void test_statuses_with_the_page(void **state)
{
	uint64_t bits[DEXT_IRQ_WORDS];

	(void)state;
	create_with_page();
	assert_int_equal(handle_statuses(), kIOReturnSuccess);
	assert_true(complete(kIOReturnDeviceError));
	wait_for(&handler.ran);
	assert_int_equal(handler.last_status, kIOReturnDeviceError);
	assert_true(fire());
	wait_for(&handler.ran);
	assert_int_equal(calls, 1);
	assert_true(complete(kIOReturnOffline));
	wait_for(&handler.ran);
	assert_int_equal(handler.last_status, kIOReturnOffline);
	assert_int_equal(handler.runs, 1);
	assert_false(irq_page_take(CONNECTION, bits));
	assert_int_equal(apple_dext_interrupt_notify_rearm(handler.notify), kIOReturnOffline);
	apple_dext_interrupt_notify_destroy(handler.notify);
	assert_int_equal(page_mappings, 1); /* a driver that has gone cannot be asked for it */
}

/* After a disconnect the mapping is not touched. */
static void test_the_connection_ends_first(void **state)
{
	uint64_t bits[DEXT_IRQ_WORDS];

	(void)state;
	create_with_page();
	irq_page_close(CONNECTION);
	assert_false(irq_page_take(CONNECTION, bits));
	page->armed = 0;
	answer = MACH_SEND_INVALID_DEST;
	assert_int_equal(apple_dext_interrupt_notify_rearm(handler.notify), MACH_SEND_INVALID_DEST);
	assert_int_equal(page->armed, 0);
	apple_dext_interrupt_notify_destroy(handler.notify);
	assert_int_equal(page_mappings, 1); /* it ended with the connection */
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
		EACH(test_interrupts_make_no_calls),
		EACH(test_interrupts_while_the_handler_runs),
		EACH(test_destroyed_with_an_interrupt_pending),
		EACH(test_the_other_notification_arms),
		EACH(test_drivers_without_a_part_of_it),
		EACH(test_statuses_with_the_page),
		EACH(test_the_connection_ends_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
