/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UNIX sockets with paths: which files at the path are replaced, and which are removed at the end.
 * Calls that change files are wrapped, so that another process can act just before them.
 */
#include "common/listen-socket.h"
#include "tests/lib/cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[96], victim[96], error[512];
static struct listen_socket listener;
/* Called once, before the wrapped call of that name. */
static void (*before_rename)(void), (*before_change)(void), (*before_link)(void);

static void act(void (**hook)(void))
{
	void (*once)(void) = *hook;

	*hook = NULL;
	if (once)
		once();
}

int __real_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	act(&before_rename);
	return __real_renameat(from_folder, from, to_folder, to);
}

int __real_fchmodat(int in, const char *name, mode_t mode, int flags);
int __wrap_fchmodat(int in, const char *name, mode_t mode, int flags);
int __wrap_fchmodat(int in, const char *name, mode_t mode, int flags)
{
	act(&before_change);
	return __real_fchmodat(in, name, mode, flags);
}

int __real_linkat(int from_folder, const char *from, int to_folder, const char *to, int flags);
int __wrap_linkat(int from_folder, const char *from, int to_folder, const char *to, int flags);
int __wrap_linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
	act(&before_link);
	return __real_linkat(from_folder, from, to_folder, to, flags);
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	return at;
}

static int fresh(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A socket of another server at the path, bound but not listening. */
static int occupy(int type)
{
	struct sockaddr_un at = address();
	int fd = fresh(type);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int open_listener(int type, mode_t mode)
{
	const struct listen_socket_options options = {
		.path = path, .backlog = 4, .mode = mode, .group = (gid_t)-1
	};

	error[0] = '\0';
	return listen_socket_open(&listener, fresh(type), &options, error, sizeof(error));
}

static int try_connect(int type)
{
	struct sockaddr_un at = address();
	int fd = fresh(type);
	int status = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 ? 0 : errno;

	close(fd);
	return status;
}

static ino_t inode_at_path(void)
{
	struct stat status;

	return lstat(path, &status) == 0 ? status.st_ino : 0;
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test-listen-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/server.sock", folder);
	snprintf(victim, sizeof(victim), "%s/victim", folder);
	listener.fd = -1;
	before_rename = before_change = before_link = NULL;
	return 0;
}

/* Only files that the test itself created may be left. */
static int teardown(void **state)
{
	(void)state;
	listen_socket_close(&listener);
	unlink(path);
	unlink(victim);
	assert_int_equal(rmdir(folder), 0);
	return 0;
}

static const int listening[] = { SOCK_STREAM, SOCK_SEQPACKET };
static const int all_types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
#define EACH(array, i) (size_t i = 0; i < sizeof(array) / sizeof(*(array)); i++)

static void test_a_stale_socket_of_any_type_is_replaced(void **state)
{
	(void)state;
	for
		EACH(listening, own)
		{
		for
			EACH(all_types, other)
			{
				close(occupy(all_types[other]));
				assert_int_equal(open_listener(listening[own], 0600), 0);
				assert_int_equal(try_connect(listening[own]), 0);
				listen_socket_close(&listener);
				assert_int_equal(inode_at_path(), 0);
			}
		}
}

static void test_a_bound_socket_of_any_type_is_left_alone(void **state)
{
	(void)state;
	for
		EACH(listening, own)
		{
		for
			EACH(all_types, other)
			{
				int foreign = occupy(all_types[other]);
				ino_t inode = inode_at_path();

				/* Before its owner calls listen(), and after. */
				assert_int_equal(open_listener(listening[own], 0600), -1);
				assert_int_equal(inode_at_path(), inode);
				if (all_types[other] != SOCK_DGRAM)
					assert_int_equal(listen(foreign, 4), 0);
				assert_int_equal(open_listener(listening[own], 0600), -1);
				assert_non_null(strstr(error, "in use by another server"));
				assert_non_null(strstr(error, path));
				assert_int_equal(inode_at_path(), inode);
				/* The check does not appear as a client that disconnects. */
				if (all_types[other] != SOCK_DGRAM)
					assert_int_equal(accept(foreign, NULL, NULL), -1);
				close(foreign);
				assert_int_equal(unlink(path), 0);
			}
		}
}

static void test_a_full_backlog_does_not_block(void **state)
{
	int foreign = occupy(SOCK_SEQPACKET);
	int clients[3];

	(void)state;
	assert_int_equal(listen(foreign, 0), 0);
	for (int i = 0; i < 3; i++) {
		struct sockaddr_un at = address();

		clients[i] = fresh(SOCK_SEQPACKET);
		(void)!connect(clients[i], (struct sockaddr *)&at, sizeof(at));
	}
	assert_int_equal(try_connect(SOCK_SEQPACKET), EAGAIN);
	assert_int_equal(open_listener(SOCK_SEQPACKET, 0600), -1);
	assert_non_null(strstr(error, "in use by another server"));
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close(foreign);
}

static void test_a_file_and_a_link_are_left_alone(void **state)
{
	struct stat status;

	(void)state;
	close(open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(open_listener(SOCK_STREAM, 0600), -1);
	assert_non_null(strstr(error, "not a socket"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(victim, path), 0);
	assert_int_equal(open_listener(SOCK_STREAM, 0600), -1);
	assert_int_equal(lstat(path, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
}

static int late; /* socket of a server that binds just before the call */

static void bind_late(void)
{
	unlink(path);
	late = occupy(SOCK_STREAM);
	listen(late, 4);
}

/* Between the check of a stale socket and its removal a live one takes its place. */
static void test_a_socket_that_appears_at_the_last_moment_is_put_back(void **state)
{
	ino_t inode;

	(void)state;
	close(occupy(SOCK_STREAM));
	before_rename = bind_late;
	assert_int_equal(open_listener(SOCK_STREAM, 0600), -1);
	assert_non_null(strstr(error, "in use by another server"));
	assert_int_equal(try_connect(SOCK_STREAM), 0);
	close(late);
	/* The same where the path did not exist. */
	unlink(path);
	before_link = bind_late;
	assert_int_equal(open_listener(SOCK_STREAM, 0600), -1);
	inode = inode_at_path();
	assert_int_not_equal(inode, 0);
	assert_int_equal(try_connect(SOCK_STREAM), 0);
	close(late);
}

static void expect_no_path(void)
{
	assert_int_equal(inode_at_path(), 0);
}

static void replace_path(void)
{
	unlink(path);
	assert_int_equal(symlink(victim, path), 0);
}

/* A process with write access to the folder replaces the path before the mode is set. */
static void test_a_mode_is_set_on_the_socket_only(void **state)
{
	struct stat status;

	(void)state;
	close(open(victim, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
	before_change = replace_path;
	assert_int_equal(open_listener(SOCK_STREAM, 0666), -1);
	assert_null(before_change);
	assert_int_equal(stat(victim, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	/* Otherwise it has its mode when it appears, with any umask. */
	assert_int_equal(unlink(path), 0);
	before_change = before_link = expect_no_path;
	assert_int_equal(open_listener(SOCK_STREAM, 0666), 0);
	assert_int_equal(lstat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0666);
	assert_null(before_link);
}

static void test_another_socket_is_not_removed_at_the_end(void **state)
{
	int foreign;
	ino_t inode;

	(void)state;
	assert_int_equal(open_listener(SOCK_STREAM, 0600), 0);
	assert_int_equal(unlink(path), 0);
	foreign = occupy(SOCK_STREAM);
	inode = inode_at_path();
	listen_socket_close(&listener);
	assert_int_equal(inode_at_path(), inode);
	close(foreign);
}

/* A child of the race: reports the result of its attempt, and serves until it is told to exit. */
static void __attribute__((noreturn)) race(int begin, int end, int results)
{
	char byte = 0;

	alarm(60); /* the child must not outlive a failed test */
	if (read(begin, &byte, 1) < 0)
		_exit(1);
	byte = (char)(open_listener(SOCK_SEQPACKET, 0600) == 0);
	(void)!write(results, &byte, 1);
	(void)!read(end, &byte, 1);
	listen_socket_close(&listener);
	_exit(0);
}

#define RACERS 4

/*
 * Servers that start at the same time over a stale socket: one gets the path, and its socket is at
 * the path.
 */
static void test_one_of_several_gets_a_stale_path(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		int begin[2], end[2], results[2], winners = 0;
		char byte;

		close(occupy(SOCK_STREAM));
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, begin), 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, end), 0);
		assert_int_equal(pipe(results), 0);
		for (int i = 0; i < RACERS; i++)
			if (fork() == 0)
				race(begin[1], end[1], results[1]);
		for (int i = 0; i < RACERS; i++)
			assert_int_equal(write(begin[0], "", 1), 1);
		for (int i = 0; i < RACERS; i++) {
			assert_int_equal(read(results[0], &byte, 1), 1);
			winners += byte;
		}
		assert_int_equal(winners, 1);
		assert_int_equal(try_connect(SOCK_SEQPACKET), 0);
		for (int i = 0; i < RACERS; i++)
			assert_int_equal(write(end[0], "", 1), 1);
		while (wait(NULL) > 0)
			;
		assert_int_equal(inode_at_path(), 0);
		close(begin[0]);
		close(begin[1]);
		close(end[0]);
		close(end[1]);
		close(results[0]);
		close(results[1]);
	}
}

static void test_lengths_are_checked(void **state)
{
	char text[32];
	size_t folder_length = strlen(folder);

	(void)state;
	snprintf(path, sizeof(path), "%s/no/s", folder);
	assert_int_equal(open_listener(SOCK_STREAM, 0600), -1);
	assert_non_null(strstr(error, strerror(ENOENT)));
	for (size_t more = 0; more < 2; more++) {
		struct listen_socket_options options = { .backlog = 1, .group = (gid_t)-1 };
		char longest[200];

		memset(longest, 'x', sizeof(longest));
		memcpy(longest, folder, folder_length);
		longest[folder_length] = '/';
		longest[listen_socket_path_limit() + more] = '\0';
		options.path = longest;
		assert_int_equal(listen_socket_open(&listener, fresh(SOCK_STREAM), &options, error,
					 sizeof(error)),
			more ? -1 : 0);
		listen_socket_close(&listener);
	}
	snprintf(text, sizeof(text), "has %zu bytes", listen_socket_path_limit() + 1);
	assert_non_null(strstr(error, text));
}

#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_a_stale_socket_of_any_type_is_replaced),
		ON(test_a_bound_socket_of_any_type_is_left_alone),
		ON(test_a_full_backlog_does_not_block),
		ON(test_a_file_and_a_link_are_left_alone),
		ON(test_a_socket_that_appears_at_the_last_moment_is_put_back),
		ON(test_a_mode_is_set_on_the_socket_only),
		ON(test_another_socket_is_not_removed_at_the_end),
		ON(test_one_of_several_gets_a_stale_path),
		ON(test_lengths_are_checked),
	};

	return cmocka_run_group_tests_name("listen socket", tests, NULL, NULL);
}
