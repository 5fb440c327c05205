/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl reset and remove. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"

static void print_json(const struct ctl_device *device, const char *action)
{
	struct json_object *object = json_new_object();

	json_put_text(object, "address", device->name);
	json_put_bool(object, action, true);
	json_print(object);
}

static enum ctl_exit reset(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	enum ctl_exit exit_status = ctl_open(arguments[0], &device);
	kern_return_t status;

	if (exit_status != CTL_OK)
		return exit_status;
	exit_status = ctl_claim(&device, CTL_TO_RESET);
	if (exit_status == CTL_OK) {
		status = apple_dext_reset_device(device.connection);
		if (status != kIOReturnSuccess)
			exit_status = ctl_fail(&device, status, "not reset");
		else if (options->json)
			print_json(&device, "reset");
	}
	ctl_close(&device);
	return exit_status;
}

const struct ctl_command ctl_reset = {
	.name = "reset",
	.arguments = "ADDR",
	.summary = "reset a device",
	.help = "Claim the device and reset it: by a function level reset, else by a reset of its\n"
		"bus, else by a power cycle. Config space is restored. Other clients that have\n"
		"claimed the device keep their interrupts and DMA regions, but not its state.\n",
	.examples = "dextctl reset 01:00.0\n",
	.run = reset,
};

static enum ctl_exit remove_device(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	enum ctl_exit exit_status = ctl_open(arguments[0], &device);
	kern_return_t status;

	if (exit_status != CTL_OK)
		return exit_status;
	ctl_note_other_clients(&device, CTL_TO_REMOVE);
	status = apple_dext_remove_device(device.connection);
	if (status == kIOReturnUnsupported) {
		cli_error("%s: not removed: only software devices can be", device.name);
		exit_status = CTL_FAILED;
	} else if (status != kIOReturnSuccess) {
		exit_status = ctl_fail(&device, status, "not removed");
	} else if (options->json) {
		print_json(&device, "removed");
	}
	ctl_close(&device);
	return exit_status;
}

const struct ctl_command ctl_remove = {
	.name = "remove",
	.arguments = "ADDR",
	.summary = "remove a software device",
	.help = "Remove a software device, like the surprise removal of a card. Its clients are\n"
		"not asked: config space reads as ones, their other calls fail with\n"
		"kIOReturnOffline, and list does not show the device any more. It is back after a\n"
		"restart of the driver service.\n",
	.examples = "dextctl remove 01:00.0\n",
	.run = remove_device,
};
