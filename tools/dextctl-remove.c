/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl remove: pull a software device out. */
#include "tools/dextctl.h"
#include "tools/dextctl-json.h"

static enum ctl_exit fail(const struct ctl_device *device, kern_return_t result)
{
	if (result != kIOReturnUnsupported)
		return ctl_fail(device, result, "not removed");
	cli_error("%s: not removed: only software devices can be", device->name);
	return CTL_FAILED;
}

static enum ctl_exit remove_device(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	enum ctl_exit status = ctl_open(arguments[0], &device);
	struct json_object *object;
	kern_return_t result;

	if (status != CTL_OK)
		return status;
	ctl_note_company(&device, CTL_TO_REMOVE);
	result = apple_dext_remove_device(device.connection);
	if (result != kIOReturnSuccess) {
		status = fail(&device, result);
	} else if (options->json) {
		object = json_new_object();
		json_put_text(object, "address", device.name);
		json_put_bool(object, "removed", true);
		json_print(object);
	}
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_remove = {
	.name = "remove",
	.arguments = "ADDR",
	.min_arguments = 1,
	.max_arguments = 1,
	.summary = "pull a software device out",
	.help = "Pull a software device out, as one pulls a card out of a running machine,\n"
		"without asking those who use it: config space reads as ones, their other\n"
		"calls fail with kIOReturnOffline, and list shows the device no more. It does\n"
		"not come back before the driver service is started anew.\n",
	.examples = "dextctl remove 01:00.0\n",
	.run = remove_device,
};
