/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl reset. */
#include "tools/dextctl.h"
#include "tools/dextctl-json.h"

static enum ctl_exit reset(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	enum ctl_exit status = ctl_open(arguments[0], &device);
	struct json_object *object;
	kern_return_t result;

	if (status != CTL_OK)
		return status;
	status = ctl_claim(&device, CTL_TO_RESET);
	if (status == CTL_OK) {
		result = apple_dext_reset_device(device.connection);
		if (result != kIOReturnSuccess)
			status = ctl_fail(&device, result, "not reset");
	}
	if (status == CTL_OK && options->json) {
		object = json_new_object();
		json_put_text(object, "address", device.name);
		json_put_bool(object, "reset", true);
		json_print(object);
	}
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_reset = {
	.name = "reset",
	.arguments = "ADDR",
	.min_arguments = 1,
	.max_arguments = 1,
	.summary = "reset a device",
	.help = "Claim the device and reset it: its own reset (FLR), else that of its bus,\n"
		"else a power cycle. Config space is restored; whoever else has claimed the\n"
		"device keeps interrupts and DMA regions, but finds it reset.\n",
	.examples = "dextctl reset 01:00.0\n",
	.run = reset,
};
