/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The double of Darwin's kqueue() and kevent(): what is believed of Darwin, from its kqueue(2) and
 * from xnu 11417 (bsd/kern/kern_event.c, bsd/kern/uipc_socket.c, bsd/kern/sys_pipe.c). It was not
 * run there.
 */
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fds.h"
#include "tests/lib/kqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static const struct timespec at_once = { 0 };
static int queue;
static int ends[2]; /* a pipe */

static int setup(void **state)
{
	(void)state;
	queue = kqueue();
	assert_true(queue >= 0);
	assert_int_equal(pipe(ends), 0);
	return 0;
}

/* -1: the test has closed it. */
static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int teardown(void **state)
{
	(void)state;
	close_if(queue);
	close_if(ends[0]);
	close_if(ends[1]);
	return 0;
}

static struct kevent change(int fd, int16_t filter, uint16_t flags)
{
	struct kevent event;

	EV_SET(&event, (uintptr_t)fd, filter, flags, 0, 0, (void *)(uintptr_t)(fd + 1000));
	return event;
}

static int change_now(int fd, int16_t filter, uint16_t flags)
{
	struct kevent wanted = change(fd, filter, flags);

	return kevent(queue, &wanted, 1, NULL, 0, &at_once);
}

static void add(int fd, int16_t filter)
{
	assert_int_equal(change_now(fd, filter, EV_ADD), 0);
}

static int look(struct kevent *event)
{
	memset(event, 0, sizeof(*event));
	return kevent(queue, NULL, 0, event, 1, &at_once);
}

static void expect_nothing(void)
{
	struct kevent event;

	assert_int_equal(look(&event), 0);
}

/* One event, or more of which this is the first. */
static void expect(int fd, int16_t filter, bool end)
{
	struct kevent event;

	assert_int_equal(look(&event), 1);
	assert_int_equal(event.ident, fd);
	assert_int_equal(event.filter, filter);
	assert_int_equal((event.flags & EV_EOF) != 0, end);
	assert_int_equal(event.flags & EV_ERROR, 0);
	assert_int_equal((uintptr_t)event.udata, fd + 1000);
}

static void write_byte(int fd)
{
	assert_int_equal(write(fd, "", 1), 1);
}

static void read_byte(int fd)
{
	char byte;

	assert_int_equal(read(fd, &byte, 1), 1);
}

/* --- Events ---------------------------------------------------------------------------- */

static void test_readable_until_it_is_read(void **state)
{
	(void)state;
	add(ends[0], EVFILT_READ);
	expect_nothing();
	write_byte(ends[1]);
	expect(ends[0], EVFILT_READ, false);
	expect(ends[0], EVFILT_READ, false);
	read_byte(ends[0]);
	expect_nothing();
}

static void test_writable_while_there_is_room(void **state)
{
	char bytes[4096] = { 0 };

	(void)state;
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	add(ends[1], EVFILT_WRITE);
	expect(ends[1], EVFILT_WRITE, false);
	while (write(ends[1], bytes, sizeof(bytes)) > 0)
		;
	expect_nothing();
	assert_int_equal(read(ends[0], bytes, sizeof(bytes)), sizeof(bytes));
	expect(ends[1], EVFILT_WRITE, false);
}

static void test_a_pipe_without_writers_is_at_its_end(void **state)
{
	(void)state;
	add(ends[0], EVFILT_READ);
	write_byte(ends[1]);
	close(ends[1]);
	ends[1] = -1;
	expect(ends[0], EVFILT_READ, true); /* also while there is data */
	read_byte(ends[0]);
	expect(ends[0], EVFILT_READ, true);
}

static void test_a_pipe_without_readers_is_at_its_end(void **state)
{
	(void)state;
	add(ends[1], EVFILT_WRITE);
	close(ends[0]);
	ends[0] = -1;
	expect(ends[1], EVFILT_WRITE, true);
}

/* Not both directions, as for POLLHUP on Linux. */
static void test_a_socket_that_receives_no_more_is_at_its_end(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	add(pair[0], EVFILT_READ);
	expect_nothing();
	shutdown(pair[1], SHUT_WR);
	expect(pair[0], EVFILT_READ, true);
	close(pair[0]);
	close(pair[1]);
}

static void test_a_listening_socket_is_readable_when_a_client_connects(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	int accepted;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test-kqueue-%d", (int)getpid());
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	add(listener, EVFILT_READ);
	expect_nothing();
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	unlink(address.sun_path);
	expect(listener, EVFILT_READ, false);
	accepted = accept(listener, NULL, NULL);
	expect_nothing();
	close(accepted);
	close(client);
	close(listener);
}

static void test_no_more_events_than_there_is_room_for(void **state)
{
	struct kevent events[2];

	(void)state;
	add(ends[0], EVFILT_READ);
	add(ends[1], EVFILT_WRITE);
	write_byte(ends[1]);
	assert_int_equal(kevent(queue, NULL, 0, events, 0, NULL), 0);
	assert_int_equal(kevent(queue, NULL, 0, events, 1, NULL), 1);
	assert_int_equal(kevent(queue, NULL, 0, events, 2, NULL), 2);
}

/* --- Changes ----------------------------------------------------------------------------- */

static void test_added_twice_is_there_once(void **state)
{
	struct kevent again = change(ends[0], EVFILT_READ, EV_ADD), events[2];

	(void)state;
	add(ends[0], EVFILT_READ);
	again.udata = &queue;
	write_byte(ends[1]);
	assert_int_equal(kevent(queue, &again, 1, events, 2, &at_once), 1);
	assert_ptr_equal(events[0].udata, &queue);
}

static void test_what_is_deleted_is_no_event(void **state)
{
	(void)state;
	add(ends[0], EVFILT_READ);
	write_byte(ends[1]);
	assert_int_equal(change_now(ends[0], EVFILT_READ, EV_DELETE), 0);
	expect_nothing();
}

static void test_a_change_that_fails(void **state)
{
	struct kevent wanted = change(ends[0], EVFILT_READ, EV_DELETE), event;
	int closed = dup(ends[0]);

	(void)state;
	assert_int_equal(change_now(ends[0], EVFILT_READ, EV_DELETE), -1);
	assert_int_equal(errno, ENOENT);
	close(closed);
	assert_int_equal(change_now(closed, EVFILT_READ, EV_ADD), -1);
	assert_int_equal(errno, EBADF);
	/* With room for it, the change comes back. */
	assert_int_equal(kevent(queue, &wanted, 1, &event, 1, NULL), 1);
	assert_int_equal(event.ident, ends[0]);
	assert_int_equal(event.filter, EVFILT_READ);
	assert_int_equal(event.flags, EV_DELETE | EV_ERROR);
	assert_int_equal(event.data, ENOENT);
	assert_ptr_equal(event.udata, wanted.udata);
}

/* Other changes are made, and there is no wait. */
static void test_a_failure_is_returned_instead_of_events(void **state)
{
	struct kevent changes[] = { change(ends[1], EVFILT_READ, EV_DELETE),
		change(ends[0], EVFILT_READ, EV_ADD) };
	struct kevent events[2];

	(void)state;
	write_byte(ends[1]);
	assert_int_equal(kevent(queue, changes, 2, events, 2, NULL), 1);
	assert_int_equal(events[0].data, ENOENT);
	expect(ends[0], EVFILT_READ, false);
}

/* --- Descriptors that are closed ------------------------------------------------------- */

/* The next descriptor with the same number is not waited for, although the pipe itself is still open. */
static void test_a_closed_descriptor_is_forgotten(void **state)
{
	int number = ends[0], copy = dup(ends[0]), others[2];
	struct kevent event;
	struct kevent delete = change(number, EVFILT_READ, EV_DELETE);

	(void)state;
	add(number, EVFILT_READ);
	write_byte(ends[1]);
	close(number);
	ends[0] = copy;
	expect_nothing();
	assert_int_equal(pipe(others), 0);
	assert_int_equal(others[0], number);
	write_byte(others[1]);
	expect_nothing();
	assert_int_equal(kevent(queue, &delete, 1, &event, 1, &at_once), 1);
	assert_int_equal(event.data, ENOENT);
	add(number, EVFILT_READ);
	expect(number, EVFILT_READ, false);
	close(others[0]);
	close(others[1]);
}

static int waited, found;
static struct kevent seen;

static void *wait_in_thread(void *argument)
{
	(void)argument;
	__atomic_store_n(&waited, 1, __ATOMIC_RELEASE);
	found = kevent(queue, NULL, 0, &seen, 1, NULL);
	return NULL;
}

/* Whether the thread waits already or not, the result is the same. */
static void test_closed_while_a_thread_waits(void **state)
{
	int others[2];
	pthread_t thread;

	(void)state;
	assert_int_equal(pipe(others), 0);
	add(ends[0], EVFILT_READ);
	add(others[0], EVFILT_READ);
	waited = 0;
	assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, NULL), 0);
	while (!__atomic_load_n(&waited, __ATOMIC_ACQUIRE))
		usleep(100);
	usleep(1000);
	close(ends[0]);
	ends[0] = -1;
	write_byte(others[1]);
	pthread_join(thread, NULL);
	assert_int_equal(found, 1);
	assert_int_equal(seen.ident, others[0]);
	close(others[0]);
	close(others[1]);
}

static void test_the_queue_is_a_descriptor(void **state)
{
	size_t before = count_fds();
	int another = kqueue();
	struct kevent event;

	(void)state;
	assert_int_equal(fcntl(another, F_GETFD), FD_CLOEXEC);
	assert_int_equal(count_fds(), before + 1);
	close(another);
	assert_int_equal(count_fds(), before);
	assert_int_equal(kevent(another, NULL, 0, &event, 1, &at_once), -1);
	assert_int_equal(errno, EBADF);
}

/* --- Time and signals -------------------------------------------------------------------- */

static void test_a_wait_has_an_end(void **state)
{
	const struct timespec soon = { .tv_nsec = 2000000 };
	struct timespec begin, end;
	struct kevent event;

	(void)state;
	add(ends[0], EVFILT_READ);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(kevent(queue, NULL, 0, &event, 1, &soon), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* Not earlier. */
	assert_true((end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec >=
		    soon.tv_nsec);
}

static void on_signal(int signal)
{
	(void)signal;
}

/* The timer goes on, so that a signal comes during the wait. */
static void test_changes_are_made_when_a_signal_comes(void **state)
{
	const struct sigaction handler = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	struct kevent wanted = change(ends[0], EVFILT_READ, EV_ADD), event;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &handler, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(kevent(queue, &wanted, 1, &event, 1, NULL), -1);
	assert_int_equal(errno, EINTR);
	assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
	write_byte(ends[1]);
	expect(ends[0], EVFILT_READ, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_readable_until_it_is_read),
		TEST(test_writable_while_there_is_room),
		TEST(test_a_pipe_without_writers_is_at_its_end),
		TEST(test_a_pipe_without_readers_is_at_its_end),
		TEST(test_a_socket_that_receives_no_more_is_at_its_end),
		TEST(test_a_listening_socket_is_readable_when_a_client_connects),
		TEST(test_no_more_events_than_there_is_room_for),
		TEST(test_added_twice_is_there_once),
		TEST(test_what_is_deleted_is_no_event),
		TEST(test_a_change_that_fails),
		TEST(test_a_failure_is_returned_instead_of_events),
		TEST(test_changes_are_made_when_a_signal_comes),
		TEST(test_a_closed_descriptor_is_forgotten),
		TEST(test_closed_while_a_thread_waits),
		TEST(test_the_queue_is_a_descriptor),
		TEST(test_a_wait_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
