/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/kqueue.h"

int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
	kqueue_closing(fd);
	return __real_close(fd);
}
