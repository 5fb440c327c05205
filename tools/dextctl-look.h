/* SPDX-License-Identifier: BSD-3-Clause */
/* What the commands that show one device whole have in common. */
#ifndef TOOLS_DEXTCTL_LOOK_H
#define TOOLS_DEXTCTL_LOOK_H

#include "tools/dextctl-view.h"
#include "tools/dextctl.h"

/**
 * ctl_look - read a device whole and print it
 * @address: as on the command line
 * @otherwise: what to say of it when it cannot be read
 *
 * Return: the exit status; what failed has been printed.
 */
enum ctl_exit ctl_look(const struct ctl_options *options, const char *address,
	const char *otherwise,
	void (*print)(const struct view *view, struct names *names, bool json));

#endif
