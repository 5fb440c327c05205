/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl irq trigger, reset, remove: commands that do one thing to a device. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"

#include <dext-abi.h>

/* As JSON, the action's name with the value true. */
static void print_done(
	const struct ctl_device *device, const struct ctl_options *options, const char *action)
{
	struct json_object *object;

	if (!options->json)
		return;
	object = json_new_object();
	json_put_text(object, "address", device->name);
	json_put_bool(object, action, true);
	json_print(object);
}

static enum ctl_exit fail_trigger(
	const struct ctl_device *device, unsigned vector, kern_return_t result)
{
	AppleDextStatus status;

	if (result == kIOReturnBadArgument &&
		apple_dext_get_status(device->connection, &status) == kIOReturnSuccess) {
		if (status.interrupt_vectors)
			cli_error("%s: vector %u: no such vector (0 to %u)", device->name, vector,
				status.interrupt_vectors - 1);
		else
			cli_error("%s: the device has no interrupts", device->name);
		return CTL_FAILED;
	}
	if (result != kIOReturnUnsupported)
		return ctl_fail(device, result, "vector %u: not triggered", vector);
	cli_error("%s: vector %u: not triggered: only software devices' interrupts can be",
		device->name, vector);
	return CTL_FAILED;
}

static enum ctl_exit irq_trigger(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct json_object *object;
	enum ctl_exit status;
	kern_return_t result;
	uint64_t vector;

	if (!ctl_number("VECTOR", arguments[1], DEXT_VECTORS_MAX - 1, &vector))
		return CTL_USAGE;
	status = ctl_open(arguments[0], &device);
	if (status != CTL_OK)
		return status;
	result = apple_dext_trigger_interrupt(device.connection, (uint32_t)vector);
	if (result != kIOReturnSuccess) {
		status = fail_trigger(&device, (unsigned)vector, result);
	} else if (options->json) {
		object = json_new_object();
		json_put_text(object, "address", device.name);
		json_put_number(object, "vector", vector);
		json_put_bool(object, "triggered", true);
		json_print(object);
	}
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_irq_trigger = {
	.name = "irq trigger",
	.arguments = "ADDR VECTOR",
	.min_arguments = 2,
	.max_arguments = 2,
	.summary = "make a software device's vector fire",
	.help = "Make VECTOR (from 0 on) of a software device fire once, as the device itself\n"
		"would. Nothing is claimed; every client that takes interrupts and has not\n"
		"masked the vector gets it. With nobody there it is lost, as on a real device.\n",
	.examples = "dextctl irq trigger 01:00.0 3\n",
	.run = irq_trigger,
};

static enum ctl_exit reset(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	enum ctl_exit status = ctl_open(arguments[0], &device);
	kern_return_t result;

	if (status != CTL_OK)
		return status;
	status = ctl_claim(&device, CTL_TO_RESET);
	if (status == CTL_OK) {
		result = apple_dext_reset_device(device.connection);
		if (result != kIOReturnSuccess)
			status = ctl_fail(&device, result, "not reset");
	}
	if (status == CTL_OK)
		print_done(&device, options, "reset");
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

static enum ctl_exit fail_remove(const struct ctl_device *device, kern_return_t result)
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
	kern_return_t result;

	if (status != CTL_OK)
		return status;
	ctl_note_company(&device, CTL_TO_REMOVE);
	result = apple_dext_remove_device(device.connection);
	if (result == kIOReturnSuccess)
		print_done(&device, options, "removed");
	else
		status = fail_remove(&device, result);
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
