/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver in this process that has one memory for all types, and counts how much of it is mapped. */
#ifndef TESTS_LIB_MEMORY_DRIVER_H
#define TESTS_LIB_MEMORY_DRIVER_H

#include <iokit-user/service.h>

/* Selectors: the second ends the process. */
enum { MEMORY_DRIVER_NOTHING, MEMORY_DRIVER_EXIT };

#define MEMORY_DRIVER_TYPES 4

extern struct memory_driver {
	/* What it answers; tests change it. */
	struct iouser_memory memory;
	kern_return_t status;
	unsigned asked;			 /* for memory */
	int in_use[MEMORY_DRIVER_TYPES]; /* mappings of each type */
} memory_driver;

extern const struct iouser_class memory_driver_class;

#endif
