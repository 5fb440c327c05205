/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for several descriptors, of which the next wait may have others. */
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fds.h"
#include "vfio-user/wait.h"
#ifdef VFIO_USER_KQUEUE
#include "tests/lib/kqueue.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Socket pairs: the wait is for the first ends, and the test has the second ones. */
#define PAIRS 3
static struct {
	int ours, theirs;
} pairs[PAIRS];
static struct vu_wait *waiter;
static size_t fds_before;

static int setup(void **state)
{
	int ends[2];

	(void)state;
	fds_before = count_fds();
	waiter = vu_wait_create();
	assert_non_null(waiter);
	for (size_t i = 0; i < PAIRS; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
		pairs[i].ours = ends[0];
		pairs[i].theirs = ends[1];
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vu_wait_destroy(waiter);
	for (size_t i = 0; i < PAIRS; i++) {
		if (pairs[i].ours >= 0)
			close(pairs[i].ours);
		if (pairs[i].theirs >= 0)
			close(pairs[i].theirs);
	}
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

static void signal_pair(size_t pair)
{
	assert_int_equal(write(pairs[pair].theirs, "", 1), 1);
}

static struct vu_wait_entry in(int fd)
{
	return (struct vu_wait_entry){ .fd = fd, .events = POLLIN, .revents = -1 };
}

/* Several times: the first wait for a list may be another function's than those that follow. */
static int look(struct vu_wait_entry *entries, size_t count)
{
	int ready = vu_wait_for(waiter, entries, count, 0);

	for (int i = 0; i < 2; i++)
		assert_int_equal(vu_wait_for(waiter, entries, count, 0), ready);
	return ready;
}

static void test_what_is_ready_is_reported_until_it_is_handled(void **state)
{
	struct vu_wait_entry entries[] = { in(pairs[0].ours), in(-1), in(pairs[1].ours) };
	char byte;

	(void)state;
	assert_int_equal(look(entries, 3), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(entries[i].revents, 0);
	signal_pair(1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vu_wait_for(waiter, entries, 3, -1), 1);
		assert_int_equal(entries[0].revents, 0);
		assert_int_equal(entries[1].revents, 0);
		assert_int_equal(entries[2].revents, POLLIN);
	}
	signal_pair(0);
	assert_int_equal(look(entries, 3), 2);
	assert_int_equal(entries[0].revents, POLLIN);
	assert_int_equal(read(pairs[1].ours, &byte, 1), 1);
	assert_int_equal(look(entries, 3), 1);
	assert_int_equal(entries[2].revents, 0);
}

static void test_a_limit_ends_the_wait(void **state)
{
	struct vu_wait_entry entry = in(pairs[0].ours);

	(void)state;
	assert_int_equal(vu_wait_for(waiter, &entry, 1, 3), 0);
	assert_int_equal(vu_wait_for(waiter, &entry, 0, 3), 0);
}

static void test_an_entry_waits_for_something_else(void **state)
{
	struct vu_wait_entry entry = in(pairs[0].ours);

	(void)state;
	signal_pair(0);
	assert_int_equal(look(&entry, 1), 1);
	entry.events = POLLOUT;
	assert_int_equal(look(&entry, 1), 1);
	assert_int_equal(entry.revents, POLLOUT);
	entry.events = POLLIN;
	assert_int_equal(look(&entry, 1), 1);
	assert_int_equal(entry.revents, POLLIN);
}

static void test_an_entry_that_is_left_out_is_not_reported(void **state)
{
	struct vu_wait_entry entries[] = { in(pairs[0].ours), in(pairs[1].ours) };

	(void)state;
	signal_pair(1);
	assert_int_equal(look(entries, 2), 1);
	assert_int_equal(look(entries, 1), 0);
	assert_int_equal(look(entries, 2), 1);
	entries[1].fd = -1;
	assert_int_equal(look(entries, 2), 0);
}

/* The old one stays open, and readable. */
static void test_an_entry_gets_another_descriptor(void **state)
{
	struct vu_wait_entry entry = in(pairs[0].ours);

	(void)state;
	signal_pair(0);
	assert_int_equal(look(&entry, 1), 1);
	entry.fd = pairs[1].ours;
	assert_int_equal(look(&entry, 1), 0);
	signal_pair(1);
	assert_int_equal(look(&entry, 1), 1);
}

static void test_entries_change_places(void **state)
{
	struct vu_wait_entry entries[] = { in(pairs[0].ours), in(pairs[1].ours) };

	(void)state;
	signal_pair(0);
	assert_int_equal(look(entries, 2), 1);
	assert_int_equal(entries[0].revents, POLLIN);
	entries[0].fd = pairs[1].ours;
	entries[1].fd = pairs[0].ours;
	assert_int_equal(look(entries, 2), 1);
	assert_int_equal(entries[1].revents, POLLIN);
}

/* Close the first pair, and move another there, which gets the number of ours. */
static void reuse_number(size_t pair)
{
	int number = pairs[0].ours;

	close(number);
	assert_int_equal(fcntl(pairs[pair].ours, F_DUPFD, number), number);
	close(pairs[0].theirs);
	close(pairs[pair].ours);
	pairs[0].ours = number;
	pairs[0].theirs = pairs[pair].theirs;
	pairs[pair].ours = pairs[pair].theirs = -1;
}

static void test_a_number_is_used_again(void **state)
{
	struct vu_wait_entry entry = in(pairs[0].ours);

	(void)state;
	assert_int_equal(look(&entry, 1), 0);
	reuse_number(1);
	entry.serial++;
	assert_int_equal(look(&entry, 1), 0);
	signal_pair(0);
	assert_int_equal(look(&entry, 1), 1);
	assert_int_equal(entry.revents, POLLIN);
	/* A wait without a limit does not end because there was nothing to delete. */
	entry.serial++;
	reuse_number(2);
	signal_pair(0);
	assert_int_equal(vu_wait_for(waiter, &entry, 1, -1), 1);
	assert_int_equal(entry.revents, POLLIN);
}

static void test_a_number_is_used_again_by_another_entry(void **state)
{
	struct vu_wait_entry entries[] = { in(-1), in(pairs[0].ours), in(pairs[2].ours) };

	(void)state;
	assert_int_equal(look(entries, 3), 0);
	reuse_number(1);
	entries[0].fd = entries[1].fd;
	entries[1].fd = -1;
	assert_int_equal(look(entries, 3), 0);
	signal_pair(0);
	assert_int_equal(look(entries, 3), 1);
	assert_int_equal(entries[0].revents, POLLIN);
}

/* So that close() here does not end what is behind it. */
static void test_a_closed_descriptor_is_open_elsewhere(void **state)
{
	struct vu_wait_entry entry = in(pairs[0].ours);
	int elsewhere = dup(pairs[0].ours);

	(void)state;
	assert_true(elsewhere >= 0);
	assert_int_equal(look(&entry, 1), 0);
	close(pairs[0].ours);
	pairs[0].ours = elsewhere;
	signal_pair(0);
	entry.fd = -1;
	assert_int_equal(look(&entry, 1), 0);
	entry.fd = pairs[1].ours;
	assert_int_equal(look(&entry, 1), 0);
	signal_pair(1);
	assert_int_equal(look(&entry, 1), 1);
}

static void test_a_peer_that_has_gone(void **state)
{
	struct vu_wait_entry entry = in(pairs[0].ours);

	(void)state;
	close(pairs[0].theirs);
	pairs[0].theirs = -1;
	assert_int_equal(look(&entry, 1), 1);
	assert_int_equal(entry.revents, POLLIN | POLLHUP);
	entry.events = POLLOUT;
	assert_int_equal(look(&entry, 1), 1);
	assert_int_equal(entry.revents & POLLHUP, POLLHUP);
}

/* Every time, and in no one else's way. */
static void test_no_descriptor(void **state)
{
	int closed = dup(pairs[0].ours);
	struct vu_wait_entry entries[] = { in(closed), in(pairs[0].ours) };

	(void)state;
	close(closed);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(look(entries, 2), 1);
		assert_int_equal(entries[0].revents, POLLNVAL);
		assert_int_equal(entries[1].revents, 0);
	}
	entries[0].fd = -1;
	signal_pair(0);
	assert_int_equal(look(entries, 2), 1);
	assert_int_equal(entries[1].revents, POLLIN);
}

#ifdef VFIO_USER_KQUEUE
/* Which is all that a kqueue is for. */
static void test_only_what_differs_is_registered(void **state)
{
	struct vu_wait_entry entries[] = { in(pairs[0].ours), in(pairs[1].ours) };
	unsigned before = kqueue_changes();

	(void)state;
	signal_pair(0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(look(entries, 2), 1);
	assert_int_equal(kqueue_changes(), before + 2);
	entries[1].events = POLLOUT; /* one registration ends, and one begins */
	for (int i = 0; i < 10; i++)
		assert_int_equal(look(entries, 2), 2);
	assert_int_equal(kqueue_changes(), before + 4);
}
#endif

static void on_signal(int signal)
{
	(void)signal;
}

/* The timer goes on, so that a signal comes during the wait. */
static void test_a_signal_ends_the_wait(void **state)
{
	const struct sigaction handler = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	struct vu_wait_entry entry = in(pairs[0].ours);

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &handler, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(vu_wait_for(waiter, &entry, 1, -1), -1);
	assert_int_equal(errno, EINTR);
	assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
	assert_int_equal(look(&entry, 1), 0);
	signal_pair(0);
	assert_int_equal(look(&entry, 1), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_ready_is_reported_until_it_is_handled),
		TEST(test_a_limit_ends_the_wait),
		TEST(test_an_entry_waits_for_something_else),
		TEST(test_an_entry_that_is_left_out_is_not_reported),
		TEST(test_an_entry_gets_another_descriptor),
		TEST(test_entries_change_places),
		TEST(test_a_number_is_used_again),
		TEST(test_a_number_is_used_again_by_another_entry),
		TEST(test_a_closed_descriptor_is_open_elsewhere),
		TEST(test_a_peer_that_has_gone),
		TEST(test_no_descriptor),
		TEST(test_a_signal_ends_the_wait),
#ifdef VFIO_USER_KQUEUE
		TEST(test_only_what_differs_is_registered),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
