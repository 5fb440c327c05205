/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving up what a daemon does not need once it runs: new privileges, other programs, new
 * processes, the network, files to be written, and most of the kernel's calls. What is
 * open stays open. Where the kernel can tell (Landlock), files are removed in the folders of
 * the daemon's sockets alone.
 */
#ifndef TOOLS_SANDBOX_H
#define TOOLS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#ifdef HAVE_SECCOMP
#define SANDBOX_DEFAULT_TEXT "it is by default"
#else
#define SANDBOX_DEFAULT_TEXT "this program was built without"
#endif

/** sandbox_available - whether this program was built with it. */
bool sandbox_available(void);

/**
 * sandbox_prepare - give up what has to be given up before there are other threads
 * @sockets: paths of the @count sockets that the daemon makes and removes
 *
 * Removing files elsewhere, and signals to other processes. Where the kernel cannot do that
 * it is left out: no error.
 */
void sandbox_prepare(const char *const *sockets, size_t count);

/**
 * sandbox_enter - give it all up, for every thread of the process and for good
 * @error: gets one line without a newline when it fails
 *
 * A call that is not allowed fails with EPERM afterwards. Any thread.
 */
bool sandbox_enter(char *error, size_t size);

#endif
