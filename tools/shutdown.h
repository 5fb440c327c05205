/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a daemon within a bounded time. A client can block a thread that accesses its
 * memory in the kernel for any time (userfaultfd, FUSE), so that a teardown, which joins
 * threads, may never finish.
 */
#ifndef TOOLS_SHUTDOWN_H
#define TOOLS_SHUTDOWN_H

#include <stdbool.h>

/**
 * shutdown_init - start the thread that limits the time of the teardown
 * @program: the name of the program in messages; not copied
 *
 * To be called once, before signal handlers are installed and before a sandbox is entered, since
 * it creates a thread.
 *
 * Return: false if that failed: an error has been printed.
 */
bool shutdown_init(const char *program);

/**
 * shutdown_begin - begin the teardown: the process ends within SHUTDOWN_SECONDS
 *
 * Async-signal-safe, from any thread; calls after the first have no effect. If the process has
 * not ended by then, the last argument of shutdown_phase() is printed, and the process ends
 * with EXIT_FAILURE, without exit handlers.
 */
void shutdown_begin(void);
#define SHUTDOWN_SECONDS 4

/**
 * shutdown_phase - set what the teardown is waiting for
 * @waiting_for: the end of the message "still waiting for ..."; not copied
 */
void shutdown_phase(const char *waiting_for);

#endif
