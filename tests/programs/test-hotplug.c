/* SPDX-License-Identifier: BSD-3-Clause */
/* Services that are published and removed: notifications, and objects that clients still hold. */
#include "tests/lib/rig.h"
#include "tests/lib/cmocka-all.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <pthread.h>
#include <time.h>

static struct rig rig;

/* What a notification has reported. */
struct witness {
	IONotificationPortRef port;
	dispatch_queue_t queue;
	io_iterator_t iterator;
	/* Protects the members below. */
	pthread_mutex_t lock;
	unsigned seen, calls;
};

static unsigned drain(io_iterator_t iterator)
{
	io_service_t service;
	unsigned count = 0;

	while ((service = IOIteratorNext(iterator)) != IO_OBJECT_NULL) {
		assert_true(IOObjectConformsTo(service, "IOService"));
		IOObjectRelease(service);
		count++;
	}
	return count;
}

static void notified(void *refcon, io_iterator_t iterator)
{
	struct witness *witness = refcon;
	unsigned count = drain(iterator);

	pthread_mutex_lock(&witness->lock);
	witness->seen += count;
	witness->calls++;
	pthread_mutex_unlock(&witness->lock);
}

static void begin(struct witness *witness, const char *type, const char *class)
{
	*witness = (struct witness){ .lock = PTHREAD_MUTEX_INITIALIZER };
	witness->port = IONotificationPortCreate(kIOMainPortDefault);
	witness->queue = dispatch_queue_create("witness", DISPATCH_QUEUE_SERIAL);
	IONotificationPortSetDispatchQueue(witness->port, witness->queue);
	assert_int_equal(IOServiceAddMatchingNotification(witness->port, type,
				 IOServiceMatching(class), notified, witness, &witness->iterator),
		kIOReturnSuccess);
}

static void nothing(void *context)
{
	(void)context;
}

static void end(struct witness *witness)
{
	IOObjectRelease(witness->iterator);
	IONotificationPortDestroy(witness->port);
	dispatch_sync_f(witness->queue, NULL, nothing);
	dispatch_release(witness->queue);
}

static unsigned seen(struct witness *witness)
{
	unsigned count;

	pthread_mutex_lock(&witness->lock);
	count = witness->seen;
	pthread_mutex_unlock(&witness->lock);
	return count;
}

static bool wait_seen(struct witness *witness, unsigned count)
{
	for (int i = 0; i < 2000 && seen(witness) < count; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	return seen(witness) == count;
}

static const char *const specs[] = { "nvme,addr=01:00.0,size=1M", "nvme,addr=02:00.0,size=1M",
	NULL };

static void test_bad_arguments(void **state)
{
	IONotificationPortRef port = IONotificationPortCreate(kIOMainPortDefault);
	io_iterator_t iterator;

	(void)state;
	assert_int_equal(IOServiceAddMatchingNotification(port, "IOServiceSmells",
				 IOServiceMatching("IOService"), notified, NULL, &iterator),
		kIOReturnBadArgument);
	assert_int_equal(IOServiceAddMatchingNotification(
				 port, kIOFirstMatchNotification, NULL, notified, NULL, &iterator),
		kIOReturnBadArgument);
	assert_int_equal(IOServiceAddMatchingNotification(port, kIOFirstMatchNotification,
				 IOServiceMatching("IOService"), NULL, NULL, &iterator),
		kIOReturnBadArgument);
	IONotificationPortDestroy(port);
}

static void test_removal_is_notified(void **state)
{
	struct witness come, gone, others;
	io_connect_t connection;

	(void)state;
	assert_true(rig_start(&rig, specs));
	begin(&come, kIOFirstMatchNotification, "IOUserService");
	begin(&gone, kIOTerminatedNotification, "IOUserService");
	begin(&others, kIOTerminatedNotification, "AppleUSBDevice");
	assert_int_equal(drain(come.iterator), 2); /* those that exist already */
	assert_int_equal(drain(gone.iterator), 0);
	assert_int_equal(drain(others.iterator), 0);
	connection = apple_dext_connect(2, 0, 0);
	assert_int_equal(apple_dext_remove_device(connection), kIOReturnSuccess);
	assert_true(wait_seen(&gone, 1));
	apple_dext_disconnect(connection);
	connection = apple_dext_connect(1, 0, 0);
	assert_int_equal(apple_dext_terminate(connection), kIOReturnSuccess);
	assert_true(wait_seen(&gone, 2));
	apple_dext_disconnect(connection);
	assert_int_equal(seen(&come), 0);
	assert_int_equal(seen(&others), 0);
	end(&come);
	end(&gone);
	end(&others);
	assert_true(rig_stop(&rig));
}

/* Not armed until the iterator has been emptied: later services wait in the iterator. */
static void test_arming(void **state)
{
	io_connect_t connection;
	struct witness gone;

	(void)state;
	assert_true(rig_start(&rig, specs));
	begin(&gone, kIOTerminatedNotification, "IOUserService");
	connection = apple_dext_connect(2, 0, 0);
	assert_int_equal(apple_dext_terminate(connection), kIOReturnSuccess);
	apple_dext_disconnect(connection);
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	assert_int_equal(gone.calls, 0);
	assert_int_equal(drain(gone.iterator), 1);
	connection = apple_dext_connect(1, 0, 0);
	assert_int_equal(apple_dext_terminate(connection), kIOReturnSuccess);
	apple_dext_disconnect(connection);
	assert_true(wait_seen(&gone, 1));
	end(&gone);
	assert_true(rig_stop(&rig));
}

/* The whole service is killed, and started again. */
static void test_kill_and_restart(void **state)
{
	struct witness come, gone;

	(void)state;
	assert_true(rig_start(&rig, specs));
	if (rig.local) { /* skip: a driver in this process cannot be killed separately */
		assert_true(rig_stop(&rig));
		skip();
	}
	begin(&come, kIOMatchedNotification, DEXT_USER_CLASS);
	begin(&gone, kIOTerminatedNotification, DEXT_USER_CLASS);
	assert_int_equal(drain(come.iterator), 2);
	assert_int_equal(drain(gone.iterator), 0);
	rig_kill(&rig);
	assert_true(wait_seen(&gone, 2));
	assert_true(rig_restart(&rig, specs));
	assert_true(wait_seen(&come, 2));
	end(&come);
	end(&gone);
	assert_true(rig_stop(&rig));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_removal_is_notified),
		cmocka_unit_test(test_arming),
		cmocka_unit_test(test_kill_and_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
