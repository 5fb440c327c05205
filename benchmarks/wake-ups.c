/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a device to the thread that waits for its interrupt, with the driver in this process, so
 * that nothing else is woken: beside a thread that sleeps on a futex, and one that reads an eventfd.
 */
#include "benchmarks/bench.h"
#include "driver/driver.h"
#include "provider/spec.h"

#include <apple-dext-client.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAIT_SECONDS 10

/* The vector that has an eventfd; vector 0 has none. */
#define EVENTFD_VECTOR 1

static struct dext_driver *driver;
static io_connect_t connection;
static AppleDextInterruptNotify *notify;

/* How often a thread was woken, and when the last time. */
static atomic_uint woken;
static _Atomic double woken_at;
static atomic_uint futex_word;
static int event = -1;
static atomic_bool ending;
static pthread_t futex_thread, event_thread;
static bool futex_runs, event_runs;

static void note_wake_up(void)
{
	atomic_store(&woken_at, bench_now());
	atomic_fetch_add(&woken, 1);
}

static void *sleep_on_futex(void *unused)
{
	(void)unused;
	for (unsigned seen = 0; !atomic_load(&ending); seen++) {
		while (atomic_load(&futex_word) == seen)
			syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
		note_wake_up();
	}
	return NULL;
}

static void *read_eventfd(void *unused)
{
	uint64_t count;

	(void)unused;
	while (!atomic_load(&ending) && read(event, &count, sizeof(count)) == sizeof(count))
		note_wake_up();
	return NULL;
}

static void handle(void *unused)
{
	uint64_t pending[4];

	(void)unused;
	note_wake_up();
	apple_dext_read_pending_irqs(connection, pending);
	apple_dext_interrupt_notify_rearm(notify);
}

/*
 * Wake a thread by @wake, and wait until it has noted the time. It then sleeps again while this one
 * does, so that each sample is a wake-up.
 */
static double measure(bool (*wake)(void))
{
	const struct timespec pause = { .tv_nsec = 50000 };
	unsigned before = atomic_load(&woken);
	double began = bench_now();

	if (!wake())
		return -1;
	while (atomic_load(&woken) == before) {
		nanosleep(&pause, NULL);
		if (bench_now() - began > WAIT_SECONDS * 1e9)
			return -1;
	}
	nanosleep(&pause, NULL);
	return atomic_load(&woken_at) - began;
}

static bool wake_by_futex(void)
{
	atomic_fetch_add(&futex_word, 1);
	return syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) >= 0;
}

static bool wake_by_eventfd(void)
{
	return eventfd_write(event, 1) == 0;
}

static bool wake_by_notification(void)
{
	return apple_dext_trigger_interrupt(connection, 0) == kIOReturnSuccess;
}

static bool wake_by_device(void)
{
	return apple_dext_trigger_interrupt(connection, EVENTFD_VECTOR) == kIOReturnSuccess;
}

static double futex_wake_up(void *unused)
{
	(void)unused;
	return measure(wake_by_futex);
}

static double eventfd_wake_up(void *unused)
{
	(void)unused;
	return measure(wake_by_eventfd);
}

static double device_to_handler(void *unused)
{
	(void)unused;
	return measure(wake_by_notification);
}

static double device_to_eventfd(void *unused)
{
	(void)unused;
	return measure(wake_by_device);
}

static bool start_threads(void)
{
	atomic_store(&ending, false);
	atomic_store(&futex_word, 0);
	event = eventfd(0, EFD_CLOEXEC);
	futex_runs = pthread_create(&futex_thread, NULL, sleep_on_futex, NULL) == 0;
	event_runs = event >= 0 && pthread_create(&event_thread, NULL, read_eventfd, NULL) == 0;
	return futex_runs && event_runs;
}

static bool begin(void)
{
	struct spec_error error;
	struct pci_provider *provider = provider_create("nvme,addr=01:00.0,size=1M", &error);

	if (!provider) {
		fprintf(stderr, "dextpci: %s\n", error.text);
		return false;
	}
	driver = dext_driver_create(provider);
	if (!driver || !start_threads())
		return false;
	connection = apple_dext_connect(1, 0, 0);
	if (apple_dext_claim(connection) != kIOReturnSuccess ||
		apple_dext_setup_interrupts(connection, NULL) != kIOReturnSuccess ||
		apple_dext_set_interrupt_eventfds(connection, EVENTFD_VECTOR, 1, &event) !=
			kIOReturnSuccess ||
		apple_dext_interrupt_notify_create_into(connection, handle, NULL, &notify) !=
			kIOReturnSuccess) {
		fprintf(stderr, "dextpci: interrupts cannot be set up\n");
		return false;
	}
	return true;
}

static void end(void)
{
	apple_dext_interrupt_notify_destroy(notify);
	apple_dext_disconnect(connection);
	if (driver)
		dext_driver_destroy(driver);
	atomic_store(&ending, true);
	wake_by_futex();
	if (futex_runs)
		pthread_join(futex_thread, NULL);
	if (event_runs && wake_by_eventfd())
		pthread_join(event_thread, NULL);
	if (event >= 0)
		close(event);
	notify = NULL;
	driver = NULL;
	connection = IO_OBJECT_NULL;
	event = -1;
	futex_runs = event_runs = false;
}

static const struct bench_case cases[] = {
	{ "futex wake-up", 0, futex_wake_up, NULL },
	{ "interrupt: device to handler", 0, device_to_handler, NULL },
	{ "eventfd wake-up", 2, eventfd_wake_up, NULL },
	{ "interrupt: device to eventfd", 2, device_to_eventfd, NULL },
};

const struct bench_group bench_wake_ups = {
	.name = "wake-ups",
	.title = "From a device to the thread that waits",
	.placement = BENCH_BOTH,
	.cases = cases,
	.case_count = sizeof(cases) / sizeof(*cases),
	.burst = 20,
	.seconds = 4,
	.begin = begin,
	.end = end,
};
