/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors that a client of the runtime's server sends. close() of them would block for an hour:
 * the server continues, and can be destroyed, only if it does not wait for it.
 */
#include "tests/lib/cmocka-all.h"
#include "tests/lib/session-rig.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/* They are in flight when the client closes its own, so that the server has the last reference. */
static void test_a_port_that_lingers(void **state)
{
	int fd = session_open(), port = session_lingering_socket();
	union iou_buffer reply;

	(void)state;
	session_hold_server();
	assert_int_equal(session_send_call(fd, SELECT_KEEP, NULL, 0, &port, 1), 0);
	close(port);
	session_release_server();
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnBadArgument);
	/* The session continues. */
	assert_int_equal(session_send_call(fd, SELECT_NOTHING, NULL, 0, NULL, 0), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	close(fd);
}

/* A valid port with such a socket in its queue; closed with the session. */
static void test_a_port_with_such_a_socket_in_its_queue(void **state)
{
	struct iou_header header = { .type = IOU_EVENT };
	int fd = session_open(), ends[2], queued = session_lingering_socket();
	union iou_buffer reply;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(iou_send(ends[0], &header, sizeof(header), &queued, 1, -1), 0);
	close(queued);
	session_hold_server();
	assert_int_equal(session_send_call(fd, SELECT_KEEP, NULL, 0, &ends[1], 1), 0);
	close(ends[1]);
	session_release_server();
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	close(ends[0]);
	/* Another port replaces it. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(session_call_with_port(fd, ends[1]), kIOReturnSuccess);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* One that is given to the driver, among others that are memory. */
static void test_an_argument_that_lingers(void **state)
{
	int fd = session_open(), fds[IOUSER_DESCRIPTORS_MAX + 1];
	int memory = memfd_create("test", MFD_CLOEXEC);
	union iou_buffer reply;

	(void)state;
	assert_int_equal(ftruncate(memory, PAGE), 0);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		fds[i] = memory;
	assert_int_equal(
		session_send_call(fd, SELECT_FILE, NULL, 0, fds, IOUSER_DESCRIPTORS_MAX), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	assert_int_equal(session_send_call(fd, SELECT_FILE, NULL, 0, NULL, 0), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnNotFound);
	fds[IOUSER_DESCRIPTORS_MAX - 1] = session_lingering_socket();
	session_hold_server();
	assert_int_equal(
		session_send_call(fd, SELECT_FILE, NULL, 0, fds, IOUSER_DESCRIPTORS_MAX), 0);
	close(fds[IOUSER_DESCRIPTORS_MAX - 1]);
	session_release_server();
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnBadArgument);
	/* A selector that takes none ignores them. */
	assert_int_equal(session_send_call(fd, SELECT_NOTHING, NULL, 0, &memory, 1), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	/* One too many. */
	fds[IOUSER_DESCRIPTORS_MAX - 1] = memory;
	assert_int_equal(
		session_send_call(fd, SELECT_FILE, NULL, 0, fds, IOUSER_DESCRIPTORS_MAX + 1), 0);
	assert_true(session_ended(fd));
	close(memory);
	close(fd);
}

static void test_descriptors_where_none_are_allowed(void **state)
{
	int fd = session_connect(), fds[2];

	(void)state;
	fds[0] = session_lingering_socket();
	fds[1] = session_lingering_socket();
	session_hold_server();
	assert_int_equal(session_send_hello(fd, fds, 2), 0);
	close(fds[0]);
	close(fds[1]);
	session_release_server();
	assert_true(session_ended(fd));
	close(fd);
}

/*
 * More descriptors than a message may have: the kernel must not close the excess ones on the
 * session's thread.
 */
static void test_more_descriptors_than_a_message_may_have(void **state)
{
	struct iou_hello hello = { .header = { .type = IOU_HELLO, .size = sizeof(hello) } };
	struct iovec iov = { &hello, sizeof(hello) };
	enum { SENT = 100 };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * SENT)];
	} control = { .space = { 0 } };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = session_connect(), fds[SENT];

	(void)state;
	for (size_t i = 0; i < SENT - 1; i++)
		fds[i] = fd;
	fds[SENT - 1] = session_lingering_socket();
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(header), fds, sizeof(fds));
	session_hold_server();
	assert_int_equal(sendmsg(fd, &message, 0), sizeof(hello));
	close(fds[SENT - 1]);
	session_release_server();
	assert_true(session_ended(fd));
	close(fd);
}

/* A session in WATCH ends when the client sends another message, without receiving it. */
static void test_descriptors_that_are_never_received(void **state)
{
	struct iou_header watch = { .type = IOU_WATCH };
	int fd = session_connect(), sent = session_lingering_socket();
	union iou_buffer reply;

	(void)state;
	assert_int_equal(session_send_hello(fd, NULL, 0), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	assert_int_equal(iou_send(fd, &watch, sizeof(watch), NULL, 0, -1), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	session_hold_server();
	assert_int_equal(session_send_hello(fd, &sent, 1), 0);
	close(sent);
	session_release_server();
	assert_true(session_ended(fd));
	close(fd);
}

/* The same for a connection that is not accepted before the server ends. */
static void test_descriptors_of_a_connection_that_is_not_accepted(void **state)
{
	int fd, sent = session_lingering_socket();

	(void)state;
	session_stop_server();
	fd = session_connect();
	assert_int_equal(session_send_hello(fd, &sent, 1), 0);
	close(sent);
	session_destroy_server();
	assert_true(session_ended(fd));
	close(fd);
}

static void test_peers_that_are_refused(void **state)
{
	int served[4], refused, sent = session_lingering_socket();
	union iou_buffer reply;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		served[i] = session_open();
	refused = session_connect();
	session_hold_server();
	assert_int_equal(session_send_hello(refused, &sent, 1), 0);
	close(sent);
	session_release_server();
	/* No reply: receiving its message would receive the descriptor. */
	assert_true(session_ended(refused));
	close(refused);
	refused = session_connect();
	assert_int_equal(session_send_hello(refused, NULL, 0), 0);
	assert_int_equal(session_receive_status(refused, &reply), kIOReturnNoResources);
	close(refused);
	for (size_t i = 0; i < 4; i++)
		close(served[i]);
}

static void test_descriptors_that_are_lost(void **state)
{
	int fd = session_open(), ends[2], filler[4096];
	struct rlimit limit, low;
	union iou_buffer reply;
	size_t count = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){ .rlim_cur = 1024, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (count < 4096 && (filler[count] = dup(ends[0])) >= 0)
		count++;
	assert_int_equal(session_call_with_port(fd, ends[1]), kIOReturnNoResources);
	while (count)
		close(filler[--count]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(session_call_with_port(fd, ends[1]), kIOReturnSuccess);
	assert_int_equal(session_send_call(fd, SELECT_NOTHING, NULL, 0, NULL, 0), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, session_setup, session_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_a_port_that_lingers),
		EACH(test_a_port_with_such_a_socket_in_its_queue),
		EACH(test_an_argument_that_lingers),
		EACH(test_descriptors_where_none_are_allowed),
		EACH(test_more_descriptors_than_a_message_may_have),
		EACH(test_descriptors_that_are_never_received),
		EACH(test_descriptors_of_a_connection_that_is_not_accepted),
		EACH(test_peers_that_are_refused),
		EACH(test_descriptors_that_are_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
