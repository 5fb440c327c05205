/* SPDX-License-Identifier: BSD-3-Clause */
/* What reading and writing config space and BARs have in common. */
#ifndef TOOLS_DEXTCTL_ACCESS_H
#define TOOLS_DEXTCTL_ACCESS_H

#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/registers.h"

/* One access, or with values the first of several. */
struct access {
	const char *device; /* its address */
	int bar;	    /* -1 for config space */
	uint64_t offset, width, value;
	char name[REGISTER_NAME_SIZE]; /* of a register of config space; "" for none */
};

/** access_print - the value that was read, and its register; as JSON the whole access. */
void access_print(const struct access *access, const struct ctl_options *options);
/** access_print_written - nothing; as JSON the whole access. */
void access_print_written(const struct access *access, const struct ctl_options *options);

struct json_object;
/** access_json - a new object with the keys address, bar or register, offset, width. */
struct json_object *access_json(const struct access *access);

#endif
