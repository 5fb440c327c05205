/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors when a program cannot connect to the driver service: of apple_dext_connect(),
 * apple_dext_copy_bound_devices() and IOUserServiceStatus(). This process publishes no services;
 * the servers are its children.
 */
#include "tests/lib/cmocka-all.h"

#include <apple-dext-client.h>
#include <errno.h>
#include <iokit-user/client.h>
#include <iokit-user/service.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_USER 65534

static char folder[64], path[96];

static void __attribute__((noreturn)) serve(mode_t mode, int ready)
{
	const struct iouser_server_options options = {
		.path = path, .mode = mode, .group = (gid_t)-1
	};
	char error[512];
	struct iouser_server *server = iouser_server_create(&options, error, sizeof(error));

	alarm(60);
	if (server && write(ready, "", 1) == 1)
		iouser_server_run(server);
	_exit(1);
}

static pid_t begin_server(mode_t mode)
{
	int ready[2];
	char byte;
	pid_t server;

	assert_int_equal(pipe(ready), 0);
	server = fork();
	if (server == 0)
		serve(mode, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return server;
}

static void end_server(pid_t server)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* Whether all three errors contain each of @parts (ends with NULL). */
static bool all_report(kern_return_t status, kern_return_t listed, const char *const *parts)
{
	AppleDextDevice *devices = NULL;
	size_t count = 0;
	char lines[3][640];
	const char *why = "";
	bool good;

	good = apple_dext_connect(1, 0, 0) == IO_OBJECT_NULL;
	snprintf(lines[0], sizeof(lines[0]), "%s", apple_dext_last_error());
	good = apple_dext_copy_bound_devices(&devices, &count) == listed && !count && good;
	snprintf(lines[1], sizeof(lines[1]), "%s", apple_dext_last_error());
	good = IOUserServiceStatus(&why) == status && good;
	snprintf(lines[2], sizeof(lines[2]), "%s", why);
	for (int line = 0; line < 3; line++)
		for (const char *const *part = parts; *part; part++)
			good = strstr(lines[line], *part) && good;
	if (!good)
		fprintf(stderr, "connect: %s\nlist: %s\nstatus: %s\n", lines[0], lines[1],
			lines[2]);
	return good;
}

#define PARTS(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

/* The same in a child of another user, to which file permissions apply. */
static void assert_reported_as_other(kern_return_t status, const char *const *parts)
{
	pid_t child = fork();
	int ended;

	if (child == 0) {
		if (geteuid() == 0 && (setgid(OTHER_USER) != 0 || setuid(OTHER_USER) != 0))
			_exit(2);
		_exit(!all_report(status, status, parts));
	}
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_true(WIFEXITED(ended));
	assert_int_equal(WEXITSTATUS(ended), 0);
}

static void test_no_service(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(all_report(kIOReturnNotAttached, kIOReturnSuccess,
		PARTS("no driver service at", path, strerror(ENOENT))));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_true(all_report(kIOReturnNotAttached, kIOReturnSuccess,
		PARTS("no driver service at", path, strerror(ECONNREFUSED))));
	assert_int_equal(unlink(path), 0);
}

/* $DEXT_SOCKET, else below $XDG_RUNTIME_DIR, else below /run; an empty variable counts as unset. */
static void test_default_paths(void **state)
{
	const char *before = getenv("XDG_RUNTIME_DIR");
	char *runtime_dir = before ? strdup(before) : NULL;

	(void)state;
	assert_string_equal(iouser_socket_path(), path);
	setenv("XDG_RUNTIME_DIR", folder, 1);
	assert_string_equal(iouser_socket_path(), path);
	setenv("DEXT_SOCKET", "", 1);
	assert_string_equal(iouser_socket_path() + strlen(folder), "/dextpci/dextd.sock");
	assert_memory_equal(iouser_socket_path(), folder, strlen(folder));
	unsetenv("DEXT_SOCKET");
	assert_string_equal(iouser_socket_path() + strlen(folder), "/dextpci/dextd.sock");
	setenv("XDG_RUNTIME_DIR", "", 1);
	assert_string_equal(iouser_socket_path(), "/run/dextpci/dextd.sock");
	unsetenv("XDG_RUNTIME_DIR");
	assert_string_equal(iouser_socket_path(), "/run/dextpci/dextd.sock");
	if (runtime_dir)
		setenv("XDG_RUNTIME_DIR", runtime_dir, 1);
	free(runtime_dir);
	setenv("DEXT_SOCKET", path, 1);
}

static void test_a_long_path(void **state)
{
	char longest[200];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	setenv("DEXT_SOCKET", longest, 1);
	assert_true(all_report(kIOReturnBadArgument, kIOReturnBadArgument,
		PARTS("xxxxx...", "199 bytes long (at most 107)")));
}

static void test_a_socket_of_another_user(void **state)
{
	pid_t server;

	(void)state;
	server = begin_server(geteuid() == 0 ? 0600 : 0400);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_reported_as_other(kIOReturnNotPermitted,
		PARTS(path, strerror(EACCES), "the socket has mode", "--allow-uid"));
	end_server(server);
	unlink(path);
}

static void test_a_folder_of_another_user(void **state)
{
	char text[128];
	pid_t server = begin_server(0666);

	(void)state;
	assert_int_equal(chmod(folder, geteuid() == 0 ? 0700 : 0), 0);
	snprintf(text, sizeof(text), "the folder %s has mode", folder);
	assert_reported_as_other(kIOReturnNotPermitted, PARTS(path, strerror(EACCES), text));
	assert_int_equal(chmod(folder, 0755), 0);
	end_server(server);
	unlink(path);
}

static void test_a_service_that_refuses(void **state)
{
	pid_t server;

	(void)state;
	if (geteuid() != 0)
		skip(); /* refusal needs a second user */
	server = begin_server(0666);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_reported_as_other(kIOReturnNotPermitted,
		PARTS(path, "does not allow user 65534", strerror(EPERM), "--allow-uid"));
	/* After a successful connection the error is cleared. */
	assert_int_equal(apple_dext_connect(1, 0, 0), IO_OBJECT_NULL);
	assert_null(strstr(apple_dext_last_error(), path));
	assert_int_equal(IOUserServiceStatus(NULL), kIOReturnSuccess);
	end_server(server);
	unlink(path);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test-reach-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/dextd.sock", folder);
	return setenv("DEXT_SOCKET", path, 1);
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(folder);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_no_service),
		ON(test_default_paths),
		ON(test_a_long_path),
		ON(test_a_socket_of_another_user),
		ON(test_a_folder_of_another_user),
		ON(test_a_service_that_refuses),
	};

	return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
