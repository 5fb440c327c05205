/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl info: all about one device. */
#include "tools/dextctl-json.h"
#include "tools/dextctl-look.h"

static void print(const struct view *view, struct names *names, bool json)
{
	if (json)
		json_print(view_json(view, names, VIEW_WHOLE));
	else
		view_print(view, names, stdout);
}

static enum ctl_exit info(const struct ctl_options *options, char **arguments)
{
	return ctl_look(options, arguments[0], "cannot be looked at", print);
}

const struct ctl_command ctl_info = {
	.name = "info",
	.arguments = "ADDR",
	.min_arguments = 1,
	.max_arguments = 1,
	.summary = "show a device in full",
	.help = "Show a device in full: ids, regions (BARs; the host owns their addresses, so\n"
		"none are shown), interrupts, who uses it, and its capabilities, in the words\n"
		"of lspci. Nothing is claimed, and the device is not disturbed.\n",
	.examples = "dextctl info 01:00.0\n"
		    "dextctl info 01:00.0 --json | jq '.capabilities[].text'\n",
	.run = info,
};
