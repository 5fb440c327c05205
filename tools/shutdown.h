/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a daemon within a bounded time. A thread that accesses a client's memory can
 * be held up in the kernel for as long as the client likes (userfaultfd, a FUSE file
 * system), so an orderly teardown, which joins threads, need not come to its end.
 */
#ifndef TOOLS_SHUTDOWN_H
#define TOOLS_SHUTDOWN_H

#include <stdbool.h>

/**
 * shutdown_init - start the thread that bounds the teardown
 * @program: its name in the log line; not copied
 *
 * Once, before signal handlers are installed and before a sandbox is entered, since it
 * creates a thread.
 *
 * Return: false when there is no thread to be had; the error has been printed.
 */
bool shutdown_init(const char *program);

/**
 * shutdown_begin - the teardown begins: the process ends within SHUTDOWN_SECONDS
 *
 * Async-signal-safe, from any thread, any number of times: the first one counts. When the
 * process has not ended by then, a line on standard error says what shutdown_phase() said
 * last, and the process ends with EXIT_FAILURE, without running exit handlers.
 */
void shutdown_begin(void);
#define SHUTDOWN_SECONDS 4

/**
 * shutdown_phase - what the teardown waits for from here on
 * @waiting_for: completes "still waiting for"; not copied
 */
void shutdown_phase(const char *waiting_for);

#endif
