/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/shutdown.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *name;
static sem_t begun;
static _Atomic(const char *) phase = "the main loop";

/*
 * Neither stdio nor exit() at the end: another thread may hold their locks and be stuck.
 * Threads that are stuck in the kernel are killed by _exit(): page faults, userfaultfd and
 * FUSE wait so that a fatal signal ends them.
 */
static void *watch(void *unused)
{
	const char *waiting_for;
	struct timespec until;
	char line[256];
	int length;

	(void)unused;
	while (sem_wait(&begun) != 0)
		;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SHUTDOWN_SECONDS;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
		;
	waiting_for = atomic_load(&phase);
	length = snprintf(line, sizeof(line),
		"%s: not shut down within %d seconds, still waiting for %s: exiting anyway\n", name,
		SHUTDOWN_SECONDS, waiting_for);
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		_exit(EXIT_FAILURE);
	_exit(EXIT_FAILURE);
}

bool shutdown_init(const char *program)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int failure;

	name = program;
	sem_init(&begun, 0, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals go to other threads */
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

	sem_post(&begun);
	errno = saved;
}

void shutdown_phase(const char *waiting_for)
{
	atomic_store(&phase, waiting_for);
}
