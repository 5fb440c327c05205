/* SPDX-License-Identifier: BSD-3-Clause */
/* Open descriptors of this process. */
#ifndef TESTS_LIB_FDS_H
#define TESTS_LIB_FDS_H

#include "tests/lib/cmocka-all.h"

#include <dirent.h>

/* Return: the number of open descriptors. */
static inline size_t count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

#endif
