/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/program.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64

/*
 * $DEXT_TEST_POLL_US (meson's test setup "sleeping") is an option of each $DEXT_VFIO_USER that is
 * started for one device; with --config, the options of devices are in the file.
 */
static void add_poll_us(const char **argv, size_t count)
{
	const char *poll_us = getenv("DEXT_TEST_POLL_US"), *server = getenv("DEXT_VFIO_USER");

	if (!poll_us || !server || strcmp(argv[0], server) != 0 || count + 2 > ARGUMENTS_MAX)
		return;
	for (size_t i = 1; i < count; i++)
		if (strcmp(argv[i], "--config") == 0)
			return;
	argv[count++] = "--poll-us";
	argv[count] = poll_us;
}

pid_t program_start(
	const char *const *argv, void (*prepare)(const void *context), const void *context)
{
	const char *arguments[ARGUMENTS_MAX + 1] = { NULL };
	size_t count = 0;
	pid_t program;

	for (; argv[count] && count < ARGUMENTS_MAX; count++)
		arguments[count] = argv[count];
	if (argv[count])
		return -1;
	add_poll_us(arguments, count);
	program = fork();
	if (program != 0)
		return program;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (prepare)
		prepare(context);
	execv(argv[0], (char **)(uintptr_t)arguments);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int program_end(pid_t program, int signal)
{
	int status;

	kill(program, signal);
	if (waitpid(program, &status, 0) != program)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * connect() of a datagram socket fails with ECONNREFUSED where no process is bound, and with
 * EPROTOTYPE where a stream or packet socket is bound, without its owner noticing. Our servers
 * link a socket to its path after listen().
 */
static bool is_listening(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool bound;

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, path);
	bound = connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 &&
		errno == EPROTOTYPE;
	close(fd);
	return bound;
}

static bool has_ended(pid_t program)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)program, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	       info.si_pid != 0;
}

bool program_wait_listening(const char *path, pid_t program)
{
	for (int i = 0; i < 4000 && !is_listening(path); i++) {
		if (program > 0 && has_ended(program))
			return false;
		poll(NULL, 0, 5);
	}
	return is_listening(path);
}
