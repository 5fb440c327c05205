/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-look.h"

#include <stdlib.h>
#include <string.h>

enum ctl_exit ctl_look(const struct ctl_options *options, const char *address,
	const char *otherwise,
	void (*print)(const struct view *view, struct names *names, bool json))
{
	struct ctl_device device;
	enum ctl_exit status = ctl_open(address, &device);
	struct names *names;
	kern_return_t result;
	struct view *view;

	if (status != CTL_OK)
		return status;
	view = cli_allocate(sizeof(*view));
	view->identity = device.identity;
	memcpy(view->root, device.root, sizeof(view->root));
	result = view_read(device.connection, VIEW_WHOLE, view);
	if (result == kIOReturnSuccess) {
		names = names_open(options->numeric);
		print(view, names, options->json);
		names_close(names);
	} else {
		status = ctl_fail(&device, result, "%s", otherwise);
	}
	free(view);
	ctl_close(&device);
	return status;
}
