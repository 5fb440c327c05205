/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of this process whose pages do not arrive until the test lets them (userfaultfd). */
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
 * Set it up. Loads and stores are held up; system calls that are given such memory fail with
 * EFAULT, since anything else would take privileges. False: this system has no such thing.
 */
bool stall_begin(struct stall *stall, size_t size);
/* Wait until somebody is held up, for a minute at most. */
bool stall_await(const struct stall *stall);
/* Let everybody go on: pages read as zeroes. */
void stall_end(struct stall *stall);
void stall_free(struct stall *stall);

#endif
