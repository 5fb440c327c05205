/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/stall.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

bool stall_begin(struct stall *stall, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .range.len = size, .mode = UFFDIO_REGISTER_MODE_MISSING };

	stall->size = size;
	stall->memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stall->memory == MAP_FAILED)
		return false;
	range.range.start = (uintptr_t)stall->memory;
	stall->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (stall->uffd >= 0 && ioctl(stall->uffd, UFFDIO_API, &api) == 0 &&
		ioctl(stall->uffd, UFFDIO_REGISTER, &range) == 0)
		return true;
	stall_free(stall);
	return false;
}

bool stall_await(const struct stall *stall)
{
	struct pollfd polled = { .fd = stall->uffd, .events = POLLIN };
	struct uffd_msg message;

	return poll(&polled, 1, 60000) == 1 &&
	       read(stall->uffd, &message, sizeof(message)) == (ssize_t)sizeof(message);
}

void stall_end(struct stall *stall)
{
	if (stall->uffd >= 0)
		close(stall->uffd);
	stall->uffd = -1;
}

void stall_free(struct stall *stall)
{
	stall_end(stall);
	munmap(stall->memory, stall->size);
}
