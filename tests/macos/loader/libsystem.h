/* SPDX-License-Identifier: BSD-3-Clause */
/* The shims of libSystem: functions whose numbers or layouts differ between Darwin and Linux. */
#ifndef LIBSYSTEM_H
#define LIBSYSTEM_H

#include <stddef.h>

/* A symbol of libSystem, with its underscore, and what it is bound to. */
struct libsystem_row {
	const char *name;
	void *address;
};

/* The tables of libsystem-*.c; each ends with a NULL name. */
extern const struct libsystem_row libsystem_errors[], libsystem_files[], libsystem_kqueue[],
	libsystem_sockets[], libsystem_threads[];

/** darwin_errno - Darwin's number of an error, linux_errno - Linux's. */
int darwin_errno(int error);
int linux_errno(int error);

/* Of flags: one bit, or group of bits, by its two numbers. */
struct flag {
	long darwin, host;
};

/**
 * flags_to_host - translate flags
 * @what: for the message when there is one that the table does not know, which ends the process
 */
long flags_to_host(const char *what, long flags, const struct flag *table, size_t count);
/** flags_to_darwin - likewise; what Darwin has no name for is left out. */
long flags_to_darwin(long flags, const struct flag *table, size_t count);
#define COUNT(table) (sizeof(table) / sizeof(*(table)))

#endif
