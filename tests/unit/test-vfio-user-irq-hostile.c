/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts: what SET_IRQS refuses, and descriptors that must not block the server. */
#include "tests/lib/vfio-user-rig.h"
#include "vfio-user/platform.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static void test_invalid_sets_are_refused(void **state)
{
	static const struct {
		uint32_t index, flags, start, count;
	} cases[] = {
		{ VFIO_PCI_NUM_IRQS, DISABLE, 0, 0 },
		{ UINT32_MAX, DISABLE, 0, 0 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, DISABLE, 1, 0 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0,
			0 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, 0,
			0 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 0 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, 0, 0, 1 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE, 0, 1 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_MASK, 0, 1 },
		{ VFIO_PCI_MSIX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK |
				VFIO_IRQ_SET_ACTION_UNMASK,
			0, 1 },
		{ VFIO_PCI_MSIX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_MASK,
			0, 1 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, DISABLE | 0x40, 0, 1 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, DISABLE | 0x80000000, 0, 1 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, FAKE_MSIX_VECTORS + 1 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, FAKE_MSIX_VECTORS, 1 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, FAKE_MSIX_VECTORS - 1, 2 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 2, UINT32_MAX },
		{ VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, UINT32_MAX, 2 },
		{ VFIO_PCI_MSI_IRQ_INDEX, CONNECT, 0, FAKE_MSI_VECTORS + 1 },
		{ VFIO_PCI_INTX_IRQ_INDEX, CONNECT, 0, 2 },
		{ VFIO_PCI_ERR_IRQ_INDEX, CONNECT, 0, 1 },
		{ VFIO_PCI_REQ_IRQ_INDEX, CONNECT, 0, 2 },
		{ VFIO_PCI_REQ_IRQ_INDEX, DISABLE, 1, 1 },
	};
	struct vfio_user_irq_set set = {
		.argsz = 19, .flags = DISABLE, .index = VFIO_PCI_MSIX_IRQ_INDEX
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(vu_client_set_irqs(*state, cases[i].index, cases[i].flags,
					 cases[i].start, cases[i].count, NULL, 0),
			EINVAL);
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set),
				 NULL, 0, NULL),
		EINVAL);
	/* Only INTx can be masked by eventfds. */
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL, 0),
		ENOTSUP);
}

static void test_bools_must_be_as_many_as_they_say(void **state)
{
	assert_int_equal(vu_client_set_bools(*state, VFIO_PCI_MSIX_IRQ_INDEX,
				 VFIO_IRQ_SET_ACTION_TRIGGER, 0, 2, "\0", 1),
		EINVAL);
	assert_int_equal(vu_client_set_bools(*state, VFIO_PCI_MSIX_IRQ_INDEX,
				 VFIO_IRQ_SET_ACTION_TRIGGER, 0, 2, "\0\0\0", 3),
		EINVAL);
	assert_int_equal(vu_client_set_bools(*state, VFIO_PCI_MSIX_IRQ_INDEX,
				 VFIO_IRQ_SET_ACTION_TRIGGER, 0, 2, "\0\0", 2),
		0);
}

static void test_eventfds_must_be_as_many_as_they_say(void **state)
{
	int fds[3] = { event_new(), event_new(), event_new() };
	size_t before = count_fds();

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 2, fds, 1), EINVAL);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 2, fds, 3), EINVAL);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, DISABLE, 0, 0, fds, 1), EINVAL);
	assert_int_equal(vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
				 VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, fds, 1),
		EINVAL);
	expect_fds(before);
	close_all(fds, 3);
}

/* A pipe without reader, a file that grows, a socket: none may end or block the server. */
static void test_other_descriptors_are_refused(void **state)
{
	int ends[2], sockets[2], fds[7];
	size_t before;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	close(ends[0]);
	close(sockets[1]);
#ifdef VFIO_USER_POSIX
	/* A write to a pipe without reader must not end the process. */
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, &ends[1], 1), 0);
	raise_vector(0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, DISABLE, 0, 0, NULL, 0), 0);
	close(ends[1]);
	ends[1] = open("/", O_RDONLY | O_CLOEXEC);
#endif
	fds[0] = ends[1];
	fds[1] = sockets[0];
	fds[2] = memfd_create("file", MFD_CLOEXEC);
	fds[3] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	fds[4] = open("/", O_RDONLY | O_CLOEXEC);
	fds[5] = event_new(); /* one valid descriptor does not make the others acceptable */
	fds[6] = fds[2];
	before = count_fds();
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1,
					 &fds[i], 1),
			EINVAL);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 2, fds + 5, 2),
		EINVAL);
	expect_fds(before);
	close_all(fds, 6);
}

/* Take what the server has logged from here on, instead of standard error. */
static int log_begin(int *saved)
{
	int file = memfd_create("log", MFD_CLOEXEC);

	assert_true(file >= 0);
	*saved = dup(STDERR_FILENO);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	return file;
}

static void log_end(int file, int saved, char *text, size_t size)
{
	ssize_t got = pread(file, text, size - 1, 0);

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(file);
	assert_true(got >= 0);
	text[got] = '\0';
}

/* A VMM without eventfds keeps one end of a pipe, and may hand over the wrong one. */
static void test_ends_of_pipes(void **state)
{
	const uint32_t control = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK;
	int ends[2], saved, file, answers[5];
	char text[512];
#ifdef VFIO_USER_POSIX
	static const int expected[] = { EINVAL, EINVAL, 0, EINVAL, 0 };
	const char *const line = "dext-vfio-user: device 01:00.0: interrupts refused: descriptor 1 "
				 "of 1 is the read end of a pipe, expected its write end\n";
#else
	static const int expected[] = { EINVAL, EINVAL, EINVAL, EINVAL, EINVAL };
	const char *const line = "dext-vfio-user: device 01:00.0: interrupts refused: descriptor 1 "
				 "of 1 is no eventfd, expected one\n";
#endif

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	file = log_begin(&saved);
	for (int i = 0; i < 2; i++)
		answers[i] = vu_client_set_irqs(
			*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, &ends[0], 1);
	answers[2] =
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, &ends[1], 1);
	answers[3] =
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX, control, 0, 1, &ends[1], 1);
	answers[4] =
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX, control, 0, 1, &ends[0], 1);
	log_end(file, saved, text, sizeof(text));
	for (int i = 0; i < 5; i++)
		assert_int_equal(answers[i], expected[i]);
	assert_string_equal(text, line); /* once for a session */
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX, DISABLE, 0, 0, NULL, 0), 0);
#ifdef VFIO_USER_POSIX
	raise_vector(0);
	assert_int_equal(event_read(ends[0]), 1);
#endif
	close(ends[0]);
	close(ends[1]);
}

/* Descriptors that look like an eventfd, but are none. */
static void test_unusual_descriptors_do_no_harm(void **state)
{
	int fds[2] = { timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), epoll_create1(EPOLL_CLOEXEC) };
	struct itimerspec soon = { .it_value = { .tv_nsec = 1 } };
#ifdef VFIO_USER_POSIX
	const int answer = 0; /* cannot be distinguished */
#else
	const int answer = EINVAL;
#endif

	assert_int_equal(timerfd_settime(fds[0], 0, &soon, NULL), 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, i, 1,
					 &fds[i], 1),
			answer);
		assert_int_equal(vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX,
					 VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 0,
					 1, &fds[i], 1),
			answer);
	}
	raise_vector(0);
	raise_vector(1);
	assert_int_equal(vu_client_config(*state, 0, 2), 0x1b36);
	close_all(fds, 2);
}

/* A blocking write to it would never return. */
static void test_a_full_event_does_not_block(void **state)
{
	int full = event_new(), fd = event_new();
	uint64_t count = event_fill(full);

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, &full, 1), 0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 1, 1, &fd, 1), 0);
	raise_vector(0);
	raise_vector(1);
	/* The kernel's own signal can set the counter to its maximum, a write cannot. */
	assert_true(event_read(full) >= count);
	assert_int_equal(event_read(fd), 1);
	raise_vector(0);
	assert_int_equal(event_read(full), 1);
	close(full);
	close(fd);
}

#ifndef VFIO_USER_POSIX

struct contended {
	int fd;
	atomic_uint signals; /* number of signals that have returned */
	atomic_bool end;
};

static void *signal_repeatedly(void *argument)
{
	struct contended *event = argument;

	while (!atomic_load(&event->end)) {
		vu_platform_signal_event(event->fd);
		atomic_fetch_add(&event->signals, 1);
	}
	return NULL;
}

/* Whether another signal returns, within a time that suffices on any machine. */
static bool signal_returns(struct contended *event)
{
	unsigned before = atomic_load(&event->signals);

	for (int i = 0; i < 20000; i++) {
		if (atomic_load(&event->signals) - before >= 2)
			return true;
		if (i > 1000)
			usleep(1000);
		else
			sched_yield();
	}
	return false;
}

/* A VMM that fills a counter after it was checked, with a blocking descriptor. */
static void test_an_event_that_is_filled_meanwhile_does_not_block(void **state)
{
	const uint64_t most = UINT64_MAX - 1;
	struct contended event = { .fd = eventfd(0, EFD_CLOEXEC) };
	pthread_t thread;
	bool well = true;
	uint64_t count;

	(void)state;
	assert_true(event.fd >= 0);
	assert_int_equal(pthread_create(&thread, NULL, signal_repeatedly, &event), 0);
	for (int round = 0; round < 3000 && well; round++) {
		struct pollfd signalled = { .fd = event.fd, .events = POLLIN };

		assert_int_equal(poll(&signalled, 1, -1), 1);
		assert_int_equal(fcntl(event.fd, F_SETFL, O_NONBLOCK), 0);
		assert_int_equal(read(event.fd, &count, sizeof(count)), sizeof(count));
		/* Other signals also use up the room. */
		for (uint64_t left = most; left > most - 1000; left--)
			if (write(event.fd, &left, sizeof(left)) == sizeof(left))
				break;
		assert_int_equal(fcntl(event.fd, F_SETFL, 0), 0);
		well = signal_returns(&event);
	}
	atomic_store(&event.end, true);
	/* Lets a blocked signal return. */
	assert_int_equal(read(event.fd, &count, sizeof(count)), sizeof(count));
	pthread_join(thread, NULL);
	close(event.fd);
	assert_true(well);
}

#endif

/* Interrupts during everything else: for ThreadSanitizer, and for lost interrupts. */
static void *storm(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < 3000; i++)
		fake_client_fire(i % FAKE_MSIX_VECTORS);
	return NULL;
}

static void test_interrupts_at_any_time(void **state)
{
	int fds[2] = { event_new(), event_new() }, last = event_new();
	pthread_t thread;

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 2, fds, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, storm, NULL), 0);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(
			vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 2, fds, 2),
			0);
		assert_int_equal(
			vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
				VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 2, NULL, 0),
			0);
		assert_int_equal(
			vu_client_exchange(*state, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL),
			0);
		assert_int_equal(
			vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
				VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 2, NULL, 0),
			0);
		if (i % 10 == 0)
			assert_int_equal(vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
						 DISABLE, 0, 0, NULL, 0),
				0);
	}
	pthread_join(thread, NULL);
	fake_client_wait_idle();
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, DISABLE, 0, 0, NULL, 0), 0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 39, 1, &last, 1), 0);
	raise_vector(39);
	assert_int_equal(event_read(last), 1);
	close_all(fds, 2);
	close(last);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, rig_setup_negotiated, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_invalid_sets_are_refused),
		ON(test_bools_must_be_as_many_as_they_say),
		ON(test_eventfds_must_be_as_many_as_they_say),
		ON(test_other_descriptors_are_refused),
		ON(test_ends_of_pipes),
		ON(test_unusual_descriptors_do_no_harm),
		ON(test_a_full_event_does_not_block),
#ifndef VFIO_USER_POSIX
		ON(test_an_event_that_is_filled_meanwhile_does_not_block),
#endif
		ON(test_interrupts_at_any_time),
	};

	return cmocka_run_group_tests_name("vfio-user interrupts refused", tests, NULL, NULL);
}
