/* SPDX-License-Identifier: BSD-3-Clause */
/* What of the sandbox no filter of system calls can express: which files, which processes. */
#ifndef TOOLS_LANDLOCK_H
#define TOOLS_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

/**
 * landlock_confine - remove and move no files but in some folders, and signal no other processes
 * @paths: @count files, in whose folders files can be removed; they need not exist, the
 *	folders must
 *
 * For the calling thread and those it starts later, for good: call it before there are
 * others. Includes PR_SET_NO_NEW_PRIVS.
 *
 * Return: whether the kernel does it (Linux 5.19 and later; signals: 6.12 and later). False
 * changes nothing.
 */
bool landlock_confine(const char *const *paths, size_t count);

#endif
