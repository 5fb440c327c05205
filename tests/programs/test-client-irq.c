/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client library's interrupts, over a socket and in-process: pending bits, masks, the state
 * page, creation and destruction of handlers, and the state after a reset.
 */
#include "tests/lib/asserts.h"
#include "tests/lib/nvme-host.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct rig rig;

/* A handler that counts its calls, clears the pending bits, and rearms if requested. */
struct listener {
	AppleDextInterruptNotify *notify;
	io_connect_t connection;
	uint64_t bits[4];
	atomic_uint calls;
	pthread_mutex_t creating;
	sem_t called;
	bool rearm, destroy;
};

static void listen_handler(void *opaque)
{
	struct listener *listener = opaque;
	uint64_t bits[4];

	/* Armed at creation, it can run before the creation has returned. */
	pthread_mutex_lock(&listener->creating);
	pthread_mutex_unlock(&listener->creating);
	listener->calls++;
	if (apple_dext_read_pending_irqs(listener->connection, bits) == kIOReturnSuccess)
		for (int i = 0; i < 4; i++)
			listener->bits[i] |= bits[i];
	if (listener->destroy) {
		AppleDextInterruptNotify *notify = listener->notify;

		apple_dext_interrupt_notify_destroy(notify);
	} else if (listener->rearm) {
		apple_dext_interrupt_notify_rearm(listener->notify);
	}
	sem_post(&listener->called); /* the listener may be freed after this */
}

static bool wait_called(struct listener *listener, unsigned seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	return sem_timedwait(&listener->called, &until) == 0;
}

static void listener_init(struct listener *listener, io_connect_t connection)
{
	memset(listener, 0, sizeof(*listener));
	listener->connection = connection;
	sem_init(&listener->called, 0, 0);
	pthread_mutex_init(&listener->creating, NULL);
}

static void listen_to(struct listener *listener)
{
	pthread_mutex_lock(&listener->creating);
	listener->notify =
		apple_dext_interrupt_notify_create(listener->connection, listen_handler, listener);
	pthread_mutex_unlock(&listener->creating);
	assert_non_null(listener->notify);
}

static void test_interrupts(void **state)
{
	const uint64_t all[4] = { ~0ull, ~0ull, ~0ull, ~0ull }, none[4] = { 0 };
	io_connect_t connection = connect_device();
	struct listener listener;
	struct nvme_host host;
	uint64_t pending[4];
	uint32_t vectors;

	(void)state;
	listener_init(&listener, connection);
	assert_fails(apple_dext_setup_interrupts(connection, &vectors), kIOReturnNotOpen);
	assert_fails(apple_dext_setup_interrupts(IO_OBJECT_NULL, &vectors), kIOReturnBadArgument);
	assert_ok(apple_dext_claim(connection));
	assert_fails(apple_dext_set_irq_mask(connection, all), kIOReturnNotReady);
	assert_fails(apple_dext_read_pending_irqs(connection, pending), kIOReturnNotReady);
	assert_null(apple_dext_interrupt_notify_create(connection, listen_handler, &listener));
	assert_null(apple_dext_interrupt_notify_create(IO_OBJECT_NULL, listen_handler, NULL));
	assert_fails(apple_dext_interrupt_notify_rearm(NULL), kIOReturnBadArgument);
	apple_dext_interrupt_notify_destroy(NULL);
	assert_ok(apple_dext_setup_interrupts(connection, &vectors));
	assert_int_equal(vectors, 64);
	assert_fails(apple_dext_setup_interrupts(connection, &vectors), kIOReturnStillOpen);
	assert_null(apple_dext_interrupt_notify_create(connection, NULL, NULL));
	assert_fails(apple_dext_set_irq_mask(connection, NULL), kIOReturnBadArgument);
	assert_fails(apple_dext_read_pending_irqs(connection, NULL), kIOReturnBadArgument);

	/* The admin queue has vector 0, the I/O queue 1. */
	assert_true(nvme_host_start(&host, connection, NVME_HOST_CALLS, 0x10000000));
	assert_ok(apple_dext_read_pending_irqs(connection, pending));
	assert_int_equal(pending[0], 1);
	assert_ok(apple_dext_read_pending_irqs(connection, pending));
	assert_int_equal(pending[0], 0);

	/* Pending before arming: called at once. */
	assert_true(nvme_host_identify(&host));
	listen_to(&listener);
	assert_true(wait_called(&listener, 10));
	assert_int_equal(listener.bits[0], 1);
	/* One-shot: not armed, not called. */
	assert_true(nvme_host_identify(&host));
	assert_true(nvme_host_settle(&host));
	assert_int_equal(listener.calls, 1);
	/* Arming detects interrupts raised meanwhile. */
	assert_ok(apple_dext_interrupt_notify_rearm(listener.notify));
	assert_true(wait_called(&listener, 10));
	assert_int_equal(listener.calls, 2);
	/* Armed first, raised later. */
	assert_ok(apple_dext_interrupt_notify_rearm(listener.notify));
	assert_true(nvme_host_transfer(&host, false, 0, 0, 4096));
	assert_true(wait_called(&listener, 10));
	assert_int_equal(listener.bits[0], 3);

	/* An interrupt raised while masked is dropped. */
	assert_true(nvme_host_settle(&host));
	assert_ok(apple_dext_read_pending_irqs(connection, pending));
	assert_ok(apple_dext_set_irq_mask(connection, none));
	assert_true(nvme_host_identify(&host));
	assert_true(nvme_host_settle(&host));
	assert_ok(apple_dext_set_irq_mask(connection, all));
	assert_ok(apple_dext_read_pending_irqs(connection, pending));
	assert_int_equal(pending[0], 0);
	apple_dext_interrupt_notify_destroy(listener.notify);
	nvme_host_stop(&host);
	apple_dext_disconnect(connection);
}

static void test_irq_state_page(void **state)
{
	io_connect_t connection = claim_device();
	struct dext_irq_state *page;
	mach_vm_address_t address;
	struct nvme_host host;

	(void)state;
	assert_fails(apple_dext_map_irq_state(connection, &address), kIOReturnNotReady);
	assert_fails(apple_dext_map_irq_state(connection, NULL), kIOReturnBadArgument);
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	assert_ok(apple_dext_map_irq_state(connection, &address));
	page = (struct dext_irq_state *)address;
	assert_int_equal(page->enabled[0], ~0ull);
	assert_true(nvme_host_start(&host, connection, NVME_HOST_CALLS, 0x10000000));
	assert_int_equal(__atomic_exchange_n(&page->pending[0], 0, __ATOMIC_SEQ_CST), 1);
	__atomic_store_n(&page->enabled[0], 0, __ATOMIC_SEQ_CST);
	assert_true(nvme_host_identify(&host));
	assert_true(nvme_host_settle(&host));
	assert_int_equal(__atomic_load_n(&page->pending[0], __ATOMIC_SEQ_CST), 0);
	assert_ok(apple_dext_unmap_irq_state(connection, address));
	assert_fails(apple_dext_unmap_irq_state(connection, address), kIOReturnBadArgument);
	nvme_host_stop(&host);
	apple_dext_disconnect(connection);
}

/* The calls that the driver has executed for the claiming client, asked by another one. */
static uint64_t calls_of_the_claimer(io_connect_t asker)
{
	AppleDextClientInfo *clients;
	uint64_t calls = 0;
	size_t count;

	assert_ok(apple_dext_copy_clients(asker, &clients, &count));
	for (size_t i = 0; i < count; i++)
		if (clients[i].claimed)
			calls += clients[i].calls;
	free(clients);
	return calls;
}

static void test_interrupts_make_no_calls(void **state)
{
	io_connect_t connection = claim_device(), other = connect_device();
	struct listener listener;
	uint64_t before;

	(void)state;
	listener_init(&listener, connection);
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	listener.rearm = true;
	listen_to(&listener);
	before = calls_of_the_claimer(other);
	for (unsigned i = 0; i < 64; i++) {
		assert_ok(apple_dext_trigger_interrupt(other, i));
		assert_true(wait_called(&listener, 10));
	}
	assert_int_equal(calls_of_the_claimer(other), before);
	apple_dext_interrupt_notify_destroy(listener.notify);
	assert_int_equal(listener.calls, 64);
	assert_true(listener.bits[0] == UINT64_MAX);
	apple_dext_disconnect(connection);
	apple_dext_disconnect(other);
}

static void nothing(void *refcon, IOReturn status)
{
	(void)refcon, (void)status;
}

/*
 * A client that keeps its call armed, never reads its port, and writes to all of its IRQ state
 * page meanwhile: the other client gets its interrupts.
 */
static void test_a_client_that_writes_to_all_of_its_page(void **state)
{
	io_connect_t hostile = claim_device(), connection = claim_device();
	IONotificationPortRef port = IONotificationPortCreate(kIOMainPortDefault);
	uint64_t reference[kIOAsyncCalloutCount] = { 0 }, pending[4];
	struct listener listener;
	mach_vm_address_t address;
	uint64_t *words;

	(void)state;
	assert_ok(apple_dext_setup_interrupts(hostile, NULL));
	assert_ok(apple_dext_map_irq_state(hostile, &address));
	words = (uint64_t *)address;
	reference[kIOAsyncCalloutFuncIndex] = (uintptr_t)nothing;
	assert_ok(IOConnectCallAsyncScalarMethod(hostile, DEXT_SELECTOR_ArmInterrupts,
		IONotificationPortGetMachPort(port), reference, kIOAsyncCalloutCount, NULL, 0, NULL,
		NULL));
	listener_init(&listener, connection);
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	listener.rearm = true;
	listen_to(&listener);
	for (unsigned i = 0; i < 2000; i++) {
		for (unsigned word = 0; word < DEXT_IRQ_STATE_SIZE / sizeof(*words); word++)
			__atomic_store_n(&words[word], i % 3 ? UINT64_MAX : i, __ATOMIC_RELAXED);
		assert_ok(apple_dext_trigger_interrupt(connection, i % 64));
		assert_true(wait_called(&listener, 10));
	}
	apple_dext_interrupt_notify_destroy(listener.notify);
	assert_int_equal(listener.calls, 2000);
	assert_true(listener.bits[0] == UINT64_MAX);
	/* Its own: what it wrote. */
	assert_ok(apple_dext_read_pending_irqs(hostile, pending));
	assert_true(pending[1] == UINT64_MAX);
	apple_dext_disconnect(hostile);
	apple_dext_disconnect(connection);
	IONotificationPortDestroy(port);
}

/* ArmInterrupts stays armed, WaitInterrupt does not: each replaces the other. */
static void test_calls_replace_each_other(void **state)
{
	io_connect_t connection = claim_device();
	struct dext_irq_state *page;
	mach_vm_address_t address;

	(void)state;
	assert_fails(IOConnectCallScalarMethod(
			     connection, DEXT_SELECTOR_ArmInterrupts, NULL, 0, NULL, NULL),
		kIOReturnNotReady);
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	assert_fails(IOConnectCallScalarMethod(
			     connection, DEXT_SELECTOR_ArmInterrupts, NULL, 0, NULL, NULL),
		kIOReturnBadArgument);
	assert_ok(apple_dext_map_irq_state(connection, &address));
	page = (struct dext_irq_state *)address;
	assert_true(page->features == DEXT_IRQ_TAKES_BY_EXCHANGE);
	assert_int_equal(page->armed, 0);
	for (unsigned round = 0; round < 2; round++) {
		IONotificationPortRef port = IONotificationPortCreate(kIOMainPortDefault);
		uint64_t reference[kIOAsyncCalloutCount] = { 0 };

		reference[kIOAsyncCalloutFuncIndex] = (uintptr_t)nothing;
		assert_ok(IOConnectCallAsyncScalarMethod(connection, DEXT_SELECTOR_ArmInterrupts,
			IONotificationPortGetMachPort(port), reference, kIOAsyncCalloutCount, NULL,
			0, NULL, NULL));
		assert_int_equal(__atomic_load_n(&page->armed, __ATOMIC_SEQ_CST), 1);
		assert_ok(apple_dext_trigger_interrupt(connection, 0));
		assert_int_equal(__atomic_load_n(&page->armed, __ATOMIC_SEQ_CST), 0);
		assert_int_equal(__atomic_exchange_n(&page->pending[0], 0, __ATOMIC_SEQ_CST), 1);
		assert_ok(IOConnectCallAsyncScalarMethod(connection, DEXT_SELECTOR_WaitInterrupt,
			IONotificationPortGetMachPort(port), reference, kIOAsyncCalloutCount, NULL,
			0, NULL, NULL));
		/* It is not looked at for a call that completes once. */
		__atomic_store_n(&page->armed, 1, __ATOMIC_SEQ_CST);
		assert_ok(apple_dext_trigger_interrupt(connection, 0));
		assert_int_equal(__atomic_load_n(&page->armed, __ATOMIC_SEQ_CST), 1);
		assert_int_equal(__atomic_exchange_n(&page->pending[0], 0, __ATOMIC_SEQ_CST), 1);
		IONotificationPortDestroy(port);
	}
	apple_dext_disconnect(connection);
}

/* Destroying waits for a running handler; no handler runs afterwards. */
static void test_destroy_waits(void **state)
{
	io_connect_t connection = claim_device();
	struct listener listener;
	struct nvme_host host;

	(void)state;
	listener_init(&listener, connection);
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	assert_true(nvme_host_start(&host, connection, NVME_HOST_CALLS, 0x10000000));
	for (unsigned round = 0; round < 50; round++) {
		unsigned calls;

		listener.rearm = true;
		listen_to(&listener);
		assert_true(nvme_host_identify(&host));
		if (round % 2)
			assert_true(wait_called(&listener, 10));
		apple_dext_interrupt_notify_destroy(listener.notify);
		calls = listener.calls;
		assert_true(nvme_host_identify(&host));
		assert_true(nvme_host_settle(&host));
		assert_int_equal(listener.calls, calls);
	}
	nvme_host_stop(&host);
	apple_dext_disconnect(connection);
}

static void test_destroy_from_the_handler(void **state)
{
	io_connect_t connection = claim_device();
	struct listener listener;
	struct nvme_host host;

	(void)state;
	listener_init(&listener, connection);
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	assert_true(nvme_host_start(&host, connection, NVME_HOST_CALLS, 0x10000000));
	assert_true(nvme_host_identify(&host));
	apple_dext_read_pending_irqs(connection, listener.bits);
	listener.destroy = true;
	listen_to(&listener);
	assert_true(nvme_host_identify(&host));
	assert_true(wait_called(&listener, 10));
	assert_true(nvme_host_identify(&host));
	assert_true(nvme_host_settle(&host));
	assert_int_equal(listener.calls, 1);
	nvme_host_stop(&host);
	apple_dext_disconnect(connection);
}

static void test_reset(void **state)
{
	io_connect_t connection = connect_device();
	struct listener listener;
	struct nvme_host host;
	uint64_t value;

	(void)state;
	assert_fails(apple_dext_reset_device(connection), kIOReturnNotOpen);
	assert_fails(apple_dext_reset_device(IO_OBJECT_NULL), kIOReturnBadArgument);
	assert_ok(apple_dext_claim(connection));
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	assert_true(nvme_host_start(&host, connection, NVME_HOST_CALLS, 0x10000000));
	assert_ok(apple_dext_config_write(connection, 0x3c, 1, 9));
	assert_ok(apple_dext_reset_device(connection));
	assert_int_equal(nvme_host_read(&host, 0x14, 4), 0); /* CC: disabled */
	assert_ok(apple_dext_config_read(connection, 0x3c, 1, &value));
	assert_int_equal(value, 9);
	assert_ok(apple_dext_config_read(connection, 4, 2, &value));
	assert_int_equal(value & 6, 6);
	/* DMA regions and interrupts are unchanged. */
	assert_ok(apple_dext_probe_dma(connection, 0x10000000, 0, &value));
	nvme_host_stop(&host);
	apple_dext_read_pending_irqs(connection, listener.bits);
	listener_init(&listener, connection);
	listen_to(&listener);
	assert_true(nvme_host_start(&host, connection, NVME_HOST_CALLS, 0x10000000));
	assert_true(wait_called(&listener, 10));
	apple_dext_interrupt_notify_destroy(listener.notify);
	nvme_host_stop(&host);
	apple_dext_disconnect(connection);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=16M", NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_interrupts, rig_await_idle),
		cmocka_unit_test_setup(test_irq_state_page, rig_await_idle),
		cmocka_unit_test_setup(test_interrupts_make_no_calls, rig_await_idle),
		cmocka_unit_test_setup(
			test_a_client_that_writes_to_all_of_its_page, rig_await_idle),
		cmocka_unit_test_setup(test_calls_replace_each_other, rig_await_idle),
		cmocka_unit_test_setup(test_destroy_waits, rig_await_idle),
		cmocka_unit_test_setup(test_destroy_from_the_handler, rig_await_idle),
		cmocka_unit_test_setup(test_reset, rig_await_idle),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
