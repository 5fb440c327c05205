/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl info: all about one device. */
#include "tools/dextctl.h"
#include "tools/dextctl-json.h"
#include "tools/dextctl-view.h"

#include <stdlib.h>
#include <string.h>

static void print(const struct view *view, const struct ctl_options *options)
{
	struct names *names = names_open(options->numeric);

	if (options->json)
		json_print(view_json(view, names, VIEW_WHOLE));
	else
		view_print(view, names, stdout);
	names_close(names);
}

static enum ctl_exit info(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	enum ctl_exit status = ctl_open(arguments[0], &device);
	kern_return_t result;
	struct view *view;

	if (status != CTL_OK)
		return status;
	view = cli_allocate(sizeof(*view));
	view->identity = device.identity;
	memcpy(view->root, device.root, sizeof(view->root));
	result = view_read(device.connection, VIEW_WHOLE, view);
	if (result == kIOReturnSuccess)
		print(view, options);
	else
		status = ctl_fail(&device, result, "cannot be looked at");
	free(view);
	ctl_close(&device);
	return status;
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
