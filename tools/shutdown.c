/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/shutdown.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *name;
/* A byte in this pipe begins the countdown. Not a semaphore: macOS has only named ones. */
static int begun[2];
static _Atomic(const char *) phase = "the main loop";

static void wait_until_begun(void)
{
	char byte;

	while (read(begun[0], &byte, 1) < 0 && errno == EINTR)
		;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * This does not use stdio or exit(), whose locks a blocked thread may hold. _exit() ends threads
 * that are blocked in the kernel: waits for page faults, userfaultfd and FUSE are killable.
 */
static void *watch(void *unused)
{
	const char *waiting_for;
	int64_t until, left;
	char line[256];
	int length;

	(void)unused;
	wait_until_begun();
	until = now_ms() + SHUTDOWN_SECONDS * 1000;
	while ((left = until - now_ms()) > 0)
		poll(NULL, 0, (int)left);
	waiting_for = atomic_load(&phase);
	length = snprintf(line, sizeof(line),
		"%s: not shut down within %d seconds, still waiting for %s: exiting anyway\n", name,
		SHUTDOWN_SECONDS, waiting_for);
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		_exit(EXIT_FAILURE);
	_exit(EXIT_FAILURE);
}

/* Writing does not block: one byte is enough. */
static bool make_pipe(void)
{
	return pipe(begun) == 0 && fcntl(begun[0], F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(begun[1], F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(begun[1], F_SETFL, O_NONBLOCK) == 0;
}

bool shutdown_init(const char *program)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int failure;

	name = program;
	if (!make_pipe()) {
		fprintf(stderr, "%s: cannot create a pipe: %s\n", program, strerror(errno));
		return false;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* other threads handle signals */
	failure = pthread_create(&thread, &attributes, watch, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (failure)
		fprintf(stderr, "%s: cannot start a thread: %s\n", program, strerror(failure));
	return !failure;
}

void shutdown_begin(void)
{
	int saved = errno;
	ssize_t written = write(begun[1], "", 1);

	(void)written; /* if the pipe is full, the countdown has begun */
	errno = saved;
}

void shutdown_phase(const char *waiting_for)
{
	atomic_store(&phase, waiting_for);
}
