/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Whoever wakes writes to it. Set once, before anybody can. */
static int wake_fds[2] = {-1, -1};

void ctl_wake(void)
{
	int saved = errno;
	/* A full pipe wakes as well. */
	ssize_t written = write(wake_fds[1], "", 1);

	(void)written;
	errno = saved;
}

static void on_signal(int number)
{
	(void)number;
	ctl_wake();
}

bool ctl_catch_signals(void)
{
	/* Restarted, so that output that is just being written is not cut off. */
	struct sigaction action = {
		.sa_handler = on_signal, .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};

	if (pipe2(wake_fds, O_CLOEXEC) < 0 || fcntl(wake_fds[1], F_SETFL, O_NONBLOCK) < 0) {
		cli_error("pipe: %s", strerror(errno));
		return false;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return true;
}

bool ctl_wait(int ms)
{
	struct pollfd poll_fd = {.fd = wake_fds[0], .events = POLLIN};

	/* What woke stays in the pipe. */
	return poll(&poll_fd, 1, ms) > 0;
}

kern_return_t ctl_alive(const struct ctl_device *device)
{
	AppleDextIdentity identity;

	return apple_dext_get_identity(device->connection, &identity);
}
