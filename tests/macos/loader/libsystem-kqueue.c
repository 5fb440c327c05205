/* SPDX-License-Identifier: BSD-3-Clause */
/* The double of a kqueue has Darwin's structures and numbers, but for errors. */
#include "tests/lib/kqueue.h"
#include "tests/macos/loader/libsystem.h"

#include <unistd.h>

static int shim_kevent(int queue, const struct kevent *changes, int change_count,
	struct kevent *events, int event_count, const struct timespec *timeout)
{
	int count = kevent(queue, changes, change_count, events, event_count, timeout);

	for (int i = 0; i < count; i++)
		if ((events[i].flags & EV_ERROR) != 0)
			events[i].data = darwin_errno((int)events[i].data);
	return count;
}

static int shim_close(int fd)
{
	kqueue_closing(fd);
	return close(fd);
}

const struct libsystem_row libsystem_kqueue[] = {
	{ "_kqueue", kqueue },
	{ "_kevent", shim_kevent },
	{ "_close", shim_close },
	{ NULL, NULL },
};
