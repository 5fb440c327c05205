/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of this process whose page faults block until the test resolves them (userfaultfd). */
#ifndef TESTS_LIB_STALL_H
#define TESTS_LIB_STALL_H

#include <stdbool.h>
#include <stddef.h>

struct stall {
	int uffd;
	void *memory;
	size_t size;
};

/*
 * Create it. Loads and stores block; system calls on such memory fail with EFAULT, as blocking
 * these would need privileges. False: not available on this system.
 */
bool stall_begin(struct stall *stall, size_t size);
/* Wait until a thread is blocked, at most a minute. */
bool stall_await(const struct stall *stall);
/* Resume all blocked threads: pages read as zeroes. */
void stall_end(struct stall *stall);
void stall_free(struct stall *stall);

#endif
