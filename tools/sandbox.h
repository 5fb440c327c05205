/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Restricting a daemon to what it needs while it runs. It can then not get privileges, run
 * programs, create processes, use the network, open files for writing, or make most system
 * calls. What is open stays open. With Landlock, it can remove files only in the folders of its
 * sockets.
 */
#ifndef TOOLS_SANDBOX_H
#define TOOLS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#ifdef HAVE_SECCOMP
#define SANDBOX_DEFAULT_TEXT "this is the default"
#else
#define SANDBOX_DEFAULT_TEXT "this program was built without it"
#endif

/** sandbox_available - whether this program was built with a sandbox. */
bool sandbox_available(void);

/**
 * sandbox_prepare - set up Landlock, which has to precede the creation of threads
 * @sockets: paths of the @count sockets that the daemon creates and removes
 *
 * Removing files elsewhere and signals to other processes are forbidden, if the kernel supports
 * that.
 */
void sandbox_prepare(const char *const *sockets, size_t count);

/**
 * sandbox_enter - install the filter of system calls, for all threads of the process
 * @error: set to one line without a newline on an error
 *
 * A call that is not allowed then fails with EPERM. It cannot be undone. Any thread may call it.
 *
 * Return: false on an error.
 */
bool sandbox_enter(char *error, size_t size);

#endif
