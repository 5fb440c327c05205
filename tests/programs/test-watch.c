/* SPDX-License-Identifier: BSD-3-Clause */
/* A notification whose connection to the service cannot be added to the epoll set at first. */
#include "tests/lib/rig.h"
#include "tests/lib/cmocka-all.h"

#include <IOKit/IOKitLib.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Number of sockets that epoll_ctl() refuses from now on. */
static atomic_int refusals;

/* Replaces the function of the C library, also for the runtime's library. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	int type;
	socklen_t size = sizeof(type);

	if (operation == EPOLL_CTL_ADD && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
		atomic_fetch_sub(&refusals, 1) > 0) {
		errno = ENOSPC; /* as past /proc/sys/fs/epoll/max_user_watches */
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

/* Number of services that the iterator has returned. */
static atomic_uint come;

static void drain(io_iterator_t iterator)
{
	io_service_t service;

	while ((service = IOIteratorNext(iterator)) != IO_OBJECT_NULL) {
		IOObjectRelease(service);
		atomic_fetch_add(&come, 1);
	}
}

static void notified(void *refcon, io_iterator_t iterator)
{
	(void)refcon;
	drain(iterator);
}

static void wait_come(unsigned count)
{
	while (atomic_load(&come) < count)
		usleep(1000);
}

static void nothing(void *context)
{
	(void)context;
}

/* The watch retries: otherwise it would not report later events. */
static void test_a_registration_that_fails(void **state)
{
	static const char *const one[] = { "nvme,addr=01:00.0,size=1M", NULL };
	static const char *const two[] = { "nvme,addr=01:00.0,size=1M", "nvme,addr=02:00.0,size=1M",
		NULL };
	IONotificationPortRef port = IONotificationPortCreate(kIOMainPortDefault);
	dispatch_queue_t queue = dispatch_queue_create("watch", DISPATCH_QUEUE_SERIAL);
	io_iterator_t iterator;
	struct rig rig;

	(void)state;
	assert_true(rig_start(&rig, one));
	IONotificationPortSetDispatchQueue(port, queue);
	atomic_store(&refusals, 2);
	assert_int_equal(IOServiceAddMatchingNotification(port, kIOFirstMatchNotification,
				 IOServiceMatching("IOUserService"), notified, NULL, &iterator),
		kIOReturnSuccess);
	drain(iterator);
	wait_come(1);
	/*
	 * One more device than before: it is new even if the end of the first service is not
	 * detected.
	 */
	rig_kill(&rig);
	assert_true(rig_restart(&rig, two));
	wait_come(2);
	IOObjectRelease(iterator);
	IONotificationPortDestroy(port);
	dispatch_sync_f(queue, NULL, nothing);
	dispatch_release(queue);
	assert_true(rig_stop(&rig));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_registration_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
