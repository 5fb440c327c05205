/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of dextd. */
#ifndef TOOLS_DEXTD_OPTIONS_H
#define TOOLS_DEXTD_OPTIONS_H

#include "driver/driver.h"
#include "tools/option-table.h"

#include <iokit-user/service.h>

#define DEVICES_MAX 256
#define ALLOWED_MAX 64

struct options {
	bool default_socket;
	const char *specs[DEVICES_MAX];
	size_t count;
	uid_t uids[ALLOWED_MAX];
	gid_t gids[ALLOWED_MAX];
	struct iouser_server_options server; /* its arrays are those above */
	struct dext_quotas quotas;
	const char *user; /* to run as, once everything is open; NULL: no change */
};

/**
 * parse_options - parse the command line
 *
 * Return: OPTIONS_CONTINUE, or the exit status: of --help and --version, or of a printed error.
 */
int parse_options(int argc, char **argv, struct options *options);

#endif
