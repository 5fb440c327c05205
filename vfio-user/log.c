/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void vu_log(const char *format, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	/* One call, so that lines of several threads do not mix. */
	fprintf(stderr, "dext-vfio-user: %s\n", line);
}

/* The errors that commands are answered with. */
static const struct {
	int error;
	const char *name;
} names[] = {
	{ 0, "ok" },
	{ EACCES, "EACCES" },
	{ EBUSY, "EBUSY" },
	{ EEXIST, "EEXIST" },
	{ EFAULT, "EFAULT" },
	{ EINVAL, "EINVAL" },
	{ EIO, "EIO" },
	{ EMFILE, "EMFILE" },
	{ ENODEV, "ENODEV" },
	{ ENOENT, "ENOENT" },
	{ ENOMEM, "ENOMEM" },
	{ ENOSPC, "ENOSPC" },
	{ ENOTSUP, "ENOTSUP" },
	{ ENOTTY, "ENOTTY" },
	{ EPERM, "EPERM" },
	{ ETIMEDOUT, "ETIMEDOUT" },
};

const char *vu_errno_name(int error)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	return "error";
}
