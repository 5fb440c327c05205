/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many connections to the service: silent ones, refused ones, those of one user. The service is a
 * child of the test; the clients are children with other users, so root is needed.
 */
#include "iokit/wire.h"
#include "tests/lib/rig.h"
#include "tests/lib/cmocka-all.h"

#include <apple-dext-client.h>
#include <errno.h>
#include <iokit-user/client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ALLOWED = 65531, ALSO_ALLOWED = 65532, REFUSED = 65533 };

/* Threads of the service without clients: the one that accepts, and one of ThreadSanitizer. */
#ifdef __SANITIZE_THREAD__
#define OWN_THREADS 3
#else
#define OWN_THREADS 1
#endif

static char folder[64], path[96];
static pid_t service;
static pid_t crowds[8];
static unsigned crowd_count;

static void __attribute__((noreturn)) serve(int ready)
{
	const uid_t uids[] = { ALLOWED, ALSO_ALLOWED };
	const struct iouser_server_options options = { .path = path,
		.mode = 0666,
		.group = (gid_t)-1,
		.allowed_uids = uids,
		.allowed_uid_count = 2 };
	char error[512];
	struct iouser_server *server;

	server = iouser_server_create(&options, error, sizeof(error));
	alarm(100);
	if (server && write(ready, "", 1) == 1)
		iouser_server_run(server);
	_exit(1);
}

static int setup(void **state)
{
	int ready[2];
	char byte;

	(void)state;
	strcpy(folder, "/tmp/test-crowd-XXXXXX");
	if (!mkdtemp(folder) || chmod(folder, 0755) != 0 || pipe(ready) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/dextd.sock", folder);
	setenv("DEXT_SOCKET", path, 1);
	crowd_count = 0;
	service = fork();
	if (service == 0)
		serve(ready[1]);
	close(ready[1]);
	byte = 1;
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	return close(ready[0]);
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < crowd_count; i++) {
		kill(crowds[i], SIGKILL);
		waitpid(crowds[i], NULL, 0);
	}
	kill(service, SIGKILL);
	waitpid(service, NULL, 0);
	unlink(path);
	return rmdir(folder);
}

static int connect_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The reply to HELLO: a status, or a positive errno if there is none. */
static int greet(int fd)
{
	struct iou_hello hello = { .header = { .type = IOU_HELLO, .size = sizeof(hello) },
		.magic = IOU_MAGIC,
		.major = IOU_VERSION_MAJOR };

	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0)
		return errno;
	if (recv(fd, &hello, sizeof(hello), 0) < (ssize_t)sizeof(hello.header))
		return ECONNRESET;
	return hello.header.status;
}

/* The result of HELLO for a new connection of this user. */
static int hello_status(uid_t uid)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (setuid(uid) != 0)
			_exit(100);
		status = greet(connect_socket());
		_exit(status == kIOReturnSuccess	? 0 :
			status == kIOReturnNoResources	? 1 :
			status == kIOReturnNotPermitted ? 2 :
							  3);
	}
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

enum { SERVED, NO_RESOURCES, NOT_PERMITTED };

/*
 * Open @count connections of one process, silent or with HELLO, and keep them. Return: how many
 * greeted.
 */
static unsigned begin_crowd(uid_t uid, unsigned count, bool greets)
{
	const struct rlimit limit = { 4096, 4096 };
	unsigned served = 0;
	int ready[2];

	assert_int_equal(pipe(ready), 0);
	crowds[crowd_count] = fork();
	if (crowds[crowd_count] == 0) {
		alarm(100);
		setrlimit(RLIMIT_NOFILE, &limit);
		if (setuid(uid) != 0)
			_exit(1);
		for (unsigned i = 0; i < count; i++) {
			int fd = connect_socket();

			served += greets && greet(fd) == kIOReturnSuccess;
		}
		(void)!write(ready[1], &served, sizeof(served));
		for (;;)
			pause();
	}
	crowd_count++;
	close(ready[1]);
	assert_int_equal(read(ready[0], &served, sizeof(served)), sizeof(served));
	close(ready[0]);
	return served;
}

static void test_a_user_leaves_room_for_others(void **state)
{
	unsigned served = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		served += begin_crowd(ALLOWED, 300, true);
	assert_int_equal(served, 256);
	assert_int_equal(hello_status(ALLOWED), NO_RESOURCES);
	assert_int_equal(hello_status(ALSO_ALLOWED), SERVED);
	assert_int_equal(hello_status(0), SERVED);
}

static void test_silent_connections_do_not_exclude_others(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		begin_crowd(ALLOWED, 300, false);
	begin_crowd(REFUSED, 300, false);
	/* Also of the same user: its oldest silent connection is evicted. */
	assert_int_equal(hello_status(ALLOWED), SERVED);
	assert_int_equal(hello_status(ALSO_ALLOWED), SERVED);
	assert_int_equal(hello_status(0), SERVED);
	assert_int_equal(hello_status(REFUSED), NOT_PERMITTED);
}

/* Neither silent nor refused connections have threads. */
static void test_connections_without_a_session_have_no_thread(void **state)
{
	struct rig_resources now;

	(void)state;
	begin_crowd(ALLOWED, 200, false);
	begin_crowd(REFUSED, 200, false);
	assert_int_equal(hello_status(0), SERVED);
	/* Wait until the threads that close sockets have ended; the clients stay connected. */
	do {
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
		now = rig_resources(service);
	} while (now.threads > OWN_THREADS && now.descriptors >= 200);
	assert_true(now.threads <= OWN_THREADS);
	assert_true(now.descriptors >= 200);
	assert_true(now.descriptors <= 200 + 200 + 64 + 32);
}

/* Silent connections are closed after a time. */
static void test_a_silent_connection_is_closed(void **state)
{
	char byte;
	int fds[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_true((fds[i] = connect_socket()) >= 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
		close(fds[i]);
	}
	/* One that has greeted stays: it responds after more than that time. */
	fds[0] = connect_socket();
	assert_int_equal(greet(fds[0]), kIOReturnSuccess);
	fds[1] = connect_socket();
	assert_int_equal(recv(fds[1], &byte, 1, 0), 0);
	assert_int_equal(recv(fds[0], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(fds[0]);
	close(fds[1]);
}

/* A refused peer that sends a descriptor: it is not received, and the service continues. */
static void test_a_refused_peer_with_a_descriptor_does_not_block(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		struct iou_hello hello = { .header = { .type = IOU_HELLO } };
		union iou_buffer reply;
		struct iou_fds fds;
		int fd, zero = 0;

		if (setuid(REFUSED) != 0)
			_exit(100);
		fd = connect_socket();
		if (iou_send(fd, &hello, sizeof(hello), &zero, 1, -1) != 0)
			_exit(101);
		_exit(iou_receive(fd, &reply, &fds, -1) > 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(hello_status(REFUSED), NOT_PERMITTED);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_a_user_leaves_room_for_others),
		ON(test_silent_connections_do_not_exclude_others),
		ON(test_connections_without_a_session_have_no_thread),
		ON(test_a_silent_connection_is_closed),
		ON(test_a_refused_peer_with_a_descriptor_does_not_block),
	};

	if (geteuid() != 0) {
		printf("crowd: skipped: other users need root\n");
		return 77;
	}
	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
