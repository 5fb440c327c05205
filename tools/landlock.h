/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of the sandbox that needs Landlock: which files and processes calls may affect. */
#ifndef TOOLS_LANDLOCK_H
#define TOOLS_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

/**
 * landlock_confine - forbid removing and moving files, and signals to other processes
 * @paths: @count files; files in the folders of these can still be removed. The folders must
 *	exist, the files need not
 *
 * Affects the calling thread and threads that it creates later; it cannot be undone. Sets
 * PR_SET_NO_NEW_PRIVS.
 *
 * Return: whether the kernel supports it (Linux 5.19 and later; for signals 6.12). If not,
 * nothing is changed.
 */
bool landlock_confine(const char *const *paths, size_t count);

#endif
