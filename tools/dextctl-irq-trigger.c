/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl irq trigger: make a software device's vector fire. */
#include "tools/dextctl.h"
#include "tools/dextctl-json.h"

#include <dext-abi.h>

static enum ctl_exit fail(const struct ctl_device *device, unsigned vector, kern_return_t result)
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
		status = fail(&device, (unsigned)vector, result);
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
