/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notification ports: completions that run a callout, their arguments, and completions that do
 * not.
 */
#include "iokit/completion.h"
#include "iokit/port.h"
#include "iokit/queue.h"
#include "iokit/wire.h"
#include "tests/lib/cmocka-all.h"

#include <fcntl.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct seen {
	unsigned calls;
	void *refcon;
	IOReturn result;
	uint32_t count;
	uint64_t args[IOUSER_SCALARS_MAX];
	uint32_t shape; /* which of the four callouts was called */
} seen;
static sem_t called, settle_done;

static void see(uint32_t shape, void *refcon, IOReturn result)
{
	seen.calls++;
	seen.shape = shape;
	seen.refcon = refcon;
	seen.result = result;
}

static void callout0(void *refcon, IOReturn result)
{
	see(0, refcon, result);
	sem_post(&called);
}

static void callout1(void *refcon, IOReturn result, void *arg0)
{
	see(1, refcon, result);
	seen.args[0] = (uintptr_t)arg0;
	sem_post(&called);
}

static void callout2(void *refcon, IOReturn result, void *arg0, void *arg1)
{
	see(2, refcon, result);
	seen.args[0] = (uintptr_t)arg0;
	seen.args[1] = (uintptr_t)arg1;
	sem_post(&called);
}

static void callout_many(void *refcon, IOReturn result, void **args, uint32_t count)
{
	see(3, refcon, result);
	seen.count = count;
	for (uint32_t i = 0; i < count; i++)
		seen.args[i] = (uintptr_t)args[i];
	sem_post(&called);
}

static void settled(void *refcon, IOReturn result)
{
	(void)refcon, (void)result;
	sem_post(&settle_done);
}

struct rig {
	IONotificationPortRef port;
	dispatch_queue_t queue;
};

static void rig_start(struct rig *rig)
{
	memset(&seen, 0, sizeof(seen));
	sem_init(&called, 0, 0);
	sem_init(&settle_done, 0, 0);
	rig->port = IONotificationPortCreate(kIOMainPortDefault);
	rig->queue = dispatch_queue_create("port", DISPATCH_QUEUE_SERIAL);
	assert_non_null(rig->port);
	assert_non_null(rig->queue);
	IONotificationPortSetDispatchQueue(rig->port, rig->queue);
}

static void rig_stop(struct rig *rig)
{
	IONotificationPortDestroy(rig->port);
	dispatch_release(rig->queue);
}

static void nothing(void *context)
{
	(void)context;
}

/* As a call does: expect a completion, and pass the sending end. */
static struct iouser_completion *expect(struct rig *rig, uintptr_t function, uintptr_t refcon)
{
	uint64_t reference[kIOAsyncCalloutCount] = { 0 };
	struct IONotificationPort *port;
	struct iouser_completion *completion;
	struct iou_port_end *end;
	struct iou_wake wake;

	reference[kIOAsyncCalloutFuncIndex] = function;
	reference[kIOAsyncCalloutRefconIndex] = refcon;
	assert_int_equal(iou_port_add_call(IONotificationPortGetMachPort(rig->port), reference,
				 kIOAsyncCalloutCount, &port, &wake),
		kIOReturnSuccess);
	end = iou_port_end_create(fcntl(wake.fd, F_DUPFD_CLOEXEC, 0), NULL);
	assert_non_null(end);
	completion = iou_completion_create(end, wake.token, true, NULL);
	iou_port_end_release(end);
	assert_non_null(completion);
	iou_port_release(port);
	return completion;
}

/* Wait until all sent events have been read: send an event, which arrives after all others. */
static void settle(struct rig *rig)
{
	struct iouser_completion *completion = expect(rig, (uintptr_t)settled, 0);

	iouser_async_completion(completion, kIOReturnSuccess, NULL, 0);
	iouser_completion_release(completion);
	while (sem_wait(&settle_done) != 0)
		;
	dispatch_sync_f(rig->queue, NULL, nothing);
}

static void test_the_callout_type_follows_the_number_of_arguments(void **state)
{
	const uintptr_t callouts[] = { (uintptr_t)callout0, (uintptr_t)callout1,
		(uintptr_t)callout2, (uintptr_t)callout_many };
	uint64_t args[IOUSER_SCALARS_MAX];
	struct rig rig;

	(void)state;
	for (uint32_t i = 0; i < IOUSER_SCALARS_MAX; i++)
		args[i] = UINT64_C(0x1111111111111111) * i + 1;
	rig_start(&rig);
	for (uint32_t count = 0; count <= IOUSER_SCALARS_MAX; count++) {
		uint32_t shape = count < 3 ? count : 3;
		struct iouser_completion *completion = expect(&rig, callouts[shape], 0x1234);

		iouser_async_completion(completion, kIOReturnDeviceError, args, count);
		iouser_completion_release(completion);
		while (sem_wait(&called) != 0)
			;
		assert_int_equal(seen.calls, count + 1);
		assert_int_equal(seen.shape, shape);
		assert_ptr_equal(seen.refcon, (void *)0x1234);
		assert_int_equal(seen.result, kIOReturnDeviceError);
		if (shape == 3)
			assert_int_equal(seen.count, count);
		for (uint32_t i = 0; i < count; i++)
			assert_true(seen.args[i] == args[i]);
	}
	rig_stop(&rig);
}

static void test_a_completion_is_delivered_once(void **state)
{
	struct iouser_completion *completion;
	struct rig rig;

	(void)state;
	rig_start(&rig);
	completion = expect(&rig, (uintptr_t)callout0, 0);
	iouser_async_completion(completion, kIOReturnSuccess, NULL, 0);
	iouser_async_completion(completion, kIOReturnSuccess, NULL, 0);
	iouser_completion_release(completion);
	settle(&rig);
	assert_int_equal(seen.calls, 1);
	rig_stop(&rig);
}

static void test_a_dropped_call_runs_no_callout(void **state)
{
	struct iouser_completion *completion;
	struct rig rig;

	(void)state;
	rig_start(&rig);
	completion = expect(&rig, (uintptr_t)callout0, 0);
	iouser_completion_retain(completion);
	iouser_completion_release(completion);
	iouser_completion_release(completion);
	completion = expect(&rig, (uintptr_t)callout0, 0);
	iouser_async_completion(completion, kIOReturnSuccess, NULL, IOUSER_SCALARS_MAX + 1);
	iou_completion_refuse(completion);
	iouser_completion_release(completion);
	settle(&rig);
	assert_int_equal(seen.calls, 0);
	rig_stop(&rig);
}

static void test_a_call_without_a_callout(void **state)
{
	struct iouser_completion *completion;
	struct rig rig;

	(void)state;
	rig_start(&rig);
	completion = expect(&rig, 0, 0);
	iouser_async_completion(completion, kIOReturnSuccess, NULL, 0);
	iouser_completion_release(completion);
	settle(&rig);
	assert_int_equal(seen.calls, 0);
	rig_stop(&rig);
}

struct hold {
	sem_t begun, go_on;
};

static void hold(void *context)
{
	struct hold *held = context;

	sem_post(&held->begun);
	while (sem_wait(&held->go_on) != 0)
		;
}

/* Queued events are not delivered after the port is destroyed, and nothing leaks. */
static void test_destroyed_with_events_queued(void **state)
{
	struct iouser_completion *late;
	struct hold held;
	struct rig rig;

	(void)state;
	rig_start(&rig);
	sem_init(&held.begun, 0, 0);
	sem_init(&held.go_on, 0, 0);
	dispatch_async_f(rig.queue, &held, hold);
	while (sem_wait(&held.begun) != 0)
		;
	for (int i = 0; i < 10; i++) {
		struct iouser_completion *completion = expect(&rig, (uintptr_t)callout0, 0);

		iouser_async_completion(completion, kIOReturnSuccess, NULL, 0);
		iouser_completion_release(completion);
	}
	late = expect(&rig, (uintptr_t)callout0, 0);
	IONotificationPortDestroy(rig.port);
	sem_post(&held.go_on);
	dispatch_sync_f(rig.queue, NULL, nothing);
	/* To a destroyed port. */
	iouser_async_completion(late, kIOReturnSuccess, NULL, 0);
	iouser_completion_release(late);
	dispatch_sync_f(rig.queue, NULL, nothing);
	dispatch_sync_f(rig.queue, NULL, nothing);
	assert_int_equal(seen.calls, 0);
	dispatch_release(rig.queue);
}

static void test_events_wait_for_a_queue(void **state)
{
	struct iouser_completion *completion;
	struct rig rig;

	(void)state;
	rig_start(&rig);
	IONotificationPortSetDispatchQueue(rig.port, NULL);
	dispatch_sync_f(rig.queue, NULL, nothing);
	completion = expect(&rig, (uintptr_t)callout0, 0);
	iouser_async_completion(completion, kIOReturnSuccess, NULL, 0);
	iouser_completion_release(completion);
	dispatch_sync_f(rig.queue, NULL, nothing);
	assert_int_equal(seen.calls, 0);
	IONotificationPortSetDispatchQueue(rig.port, rig.queue);
	while (sem_wait(&called) != 0)
		;
	assert_int_equal(seen.calls, 1);
	rig_stop(&rig);
}

/* Invalid data from a driver is ignored, and does not affect other ports. */
static void test_wrong_bytes_on_the_socket(void **state)
{
	uint64_t reference[kIOAsyncCalloutCount] = { 0, (uintptr_t)callout0, 0 };
	struct iou_event event = { .header = { .type = IOU_EVENT } };
	struct iou_event wrong;
	struct IONotificationPort *port;
	struct iou_wake wake;
	struct rig rig;

	(void)state;
	rig_start(&rig);
	assert_int_equal(iou_port_add_call(IONotificationPortGetMachPort(rig.port), reference,
				 kIOAsyncCalloutCount, &port, &wake),
		kIOReturnSuccess);
	event.token = wake.token;
	assert_int_equal(send(wake.fd, "x", 1, 0), 1);
	assert_int_equal(send(wake.fd, &event, sizeof(event) - 1, 0), (ssize_t)sizeof(event) - 1);
	assert_int_equal(iou_send(wake.fd, &event, sizeof(event) - 8, NULL, 0, 0), 0);
	wrong = event;
	wrong.header.type = IOU_CALL;
	assert_int_equal(iou_send(wake.fd, &wrong, sizeof(wrong), NULL, 0, 0), 0);
	wrong = event;
	wrong.count = IOUSER_SCALARS_MAX + 1;
	assert_int_equal(iou_send(wake.fd, &wrong, sizeof(wrong), NULL, 0, 0), 0);
	wrong = event;
	wrong.token += 1000;
	assert_int_equal(iou_send(wake.fd, &wrong, sizeof(wrong), &wake.fd, 1, 0), 0);
	settle(&rig);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(iou_send(wake.fd, &event, sizeof(event), NULL, 0, 0), 0);
	settle(&rig);
	assert_int_equal(seen.calls, 1);
	iou_port_release(port);
	rig_stop(&rig);
}

static void test_a_failed_call_is_forgotten(void **state)
{
	uint64_t reference[kIOAsyncCalloutCount] = { 0, (uintptr_t)callout0, 0 };
	struct iou_event event = { .header = { .type = IOU_EVENT } };
	struct IONotificationPort *port;
	struct iou_wake wake;
	struct rig rig;

	(void)state;
	rig_start(&rig);
	assert_int_equal(iou_port_add_call(IONotificationPortGetMachPort(rig.port), reference,
				 kIOAsyncCalloutCount, &port, &wake),
		kIOReturnSuccess);
	event.token = wake.token;
	iou_port_remove_call(port, wake.token);
	iou_port_remove_call(port, wake.token);
	assert_int_equal(iou_send(wake.fd, &event, sizeof(event), NULL, 0, 0), 0);
	settle(&rig);
	assert_int_equal(seen.calls, 0);
	iou_port_release(port);
	rig_stop(&rig);
}

/* The maximum number of pending calls completes while no thread reads: no completion is lost. */
static void test_no_completion_is_lost(void **state)
{
	struct iouser_completion *completions[IOU_OUTSTANDING_MAX];
	uint64_t reference[kIOAsyncCalloutCount] = { 0 };
	struct IONotificationPort *port;
	struct iou_wake wake;
	struct rig rig;

	(void)state;
	rig_start(&rig);
	IONotificationPortSetDispatchQueue(rig.port, NULL);
	for (size_t i = 0; i < IOU_OUTSTANDING_MAX; i++)
		completions[i] = expect(&rig, (uintptr_t)callout0, 0);
	assert_int_equal(iou_port_add_call(IONotificationPortGetMachPort(rig.port), reference,
				 kIOAsyncCalloutCount, &port, &wake),
		kIOReturnNoResources);
	for (size_t i = 0; i < IOU_OUTSTANDING_MAX; i++) {
		iouser_async_completion(completions[i], kIOReturnSuccess, NULL, 0);
		iouser_completion_release(completions[i]);
	}
	IONotificationPortSetDispatchQueue(rig.port, rig.queue);
	for (size_t i = 0; i < IOU_OUTSTANDING_MAX; i++)
		while (sem_wait(&called) != 0)
			;
	settle(&rig);
	assert_int_equal(seen.calls, IOU_OUTSTANDING_MAX);
	rig_stop(&rig);
}

/* A call can complete several times, until it completes for the last time. */
static void test_completions_that_repeat(void **state)
{
	struct rig rig;
	struct iouser_completion *completion;

	(void)state;
	rig_start(&rig);
	completion = expect(&rig, (uintptr_t)callout0, 5);
	assert_true(iouser_completion_repeats(completion));
	for (unsigned i = 1; i <= 3; i++) {
		iouser_async_completion_repeated(completion, kIOReturnSuccess, NULL, 0);
		settle(&rig);
		assert_int_equal(seen.calls, i);
		assert_ptr_equal(seen.refcon, (void *)5);
		/* Before the next event, also to TSan, which does not follow sockets. */
		dispatch_sync_f(rig.queue, NULL, nothing);
	}
	iouser_async_completion(completion, kIOReturnOffline, NULL, 0);
	iouser_async_completion_repeated(completion, kIOReturnSuccess, NULL, 0);
	settle(&rig);
	assert_int_equal(seen.calls, 4);
	assert_int_equal(seen.result, kIOReturnOffline);
	iouser_completion_release(completion);
	rig_stop(&rig);
}

/* Dropped after that, or with more completions unread when the port is destroyed. */
static void test_the_end_of_completions_that_repeat(void **state)
{
	struct rig rig;
	struct iouser_completion *completion;

	(void)state;
	rig_start(&rig);
	for (unsigned i = 0; i < 2 * IOU_OUTSTANDING_MAX; i++) {
		completion = expect(&rig, (uintptr_t)callout0, 5);
		iouser_async_completion_repeated(completion, kIOReturnSuccess, NULL, 0);
		iouser_completion_release(completion);
		settle(&rig);
	}
	assert_int_equal(seen.calls, 2 * IOU_OUTSTANDING_MAX);
	completion = expect(&rig, (uintptr_t)callout0, 5);
	for (unsigned i = 0; i < 2000; i++) /* more than fit the port */
		iouser_async_completion_repeated(completion, kIOReturnSuccess, NULL, 0);
	rig_stop(&rig);
	iouser_async_completion_repeated(completion, kIOReturnSuccess, NULL, 0);
	iouser_completion_release(completion);
}

static void test_invalid_ports(void **state)
{
	uint64_t reference[kIOAsyncCalloutCount] = { 0 };
	struct IONotificationPort *port;
	IONotificationPortRef gone = IONotificationPortCreate(kIOMainPortDefault);
	mach_port_t name = IONotificationPortGetMachPort(gone);
	struct iou_wake wake;

	(void)state;
	IONotificationPortDestroy(gone);
	assert_int_equal(iou_port_add_call(name, reference, kIOAsyncCalloutCount, &port, &wake),
		kIOReturnBadArgument);
	assert_int_equal(
		iou_port_add_call(MACH_PORT_NULL, reference, kIOAsyncCalloutCount, &port, &wake),
		kIOReturnBadArgument);
	assert_null(IONotificationPortCreate(17));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_callout_type_follows_the_number_of_arguments),
		cmocka_unit_test(test_a_completion_is_delivered_once),
		cmocka_unit_test(test_a_dropped_call_runs_no_callout),
		cmocka_unit_test(test_a_call_without_a_callout),
		cmocka_unit_test(test_destroyed_with_events_queued),
		cmocka_unit_test(test_events_wait_for_a_queue),
		cmocka_unit_test(test_wrong_bytes_on_the_socket),
		cmocka_unit_test(test_a_failed_call_is_forgotten),
		cmocka_unit_test(test_no_completion_is_lost),
		cmocka_unit_test(test_completions_that_repeat),
		cmocka_unit_test(test_the_end_of_completions_that_repeat),
		cmocka_unit_test(test_invalid_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
