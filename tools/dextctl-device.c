/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding, opening and claiming a device, and saying well why that failed. */
#include "tools/dextctl.h"

#include <iokit-user/service.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool ctl_service_answers(void)
{
	char error[512];

	if (iouser_service_probe(error, sizeof(error)))
		return true;
	cli_error("%s: start one with dextd --device SPEC", error);
	return false;
}

/* The addresses that there are, for somebody who asked for another. */
static void say_no_such_device(const char *name)
{
	AppleDextDevice *devices = NULL;
	size_t count = 0, used = 0;
	char list[256 + CLI_ADDRESS_SIZE] = "";

	if (apple_dext_copy_bound_devices(&devices, &count) != kIOReturnSuccess)
		count = 0;
	for (size_t i = 0; i < count; i++) {
		const AppleDextIdentity *id = &devices[i].identity;
		char text[CLI_ADDRESS_SIZE];

		if (used > 256 - 2 * CLI_ADDRESS_SIZE) {
			strcpy(list + used, ", ...");
			break;
		}
		cli_format_address(
			&(struct cli_address){id->bus, id->device, id->function}, text);
		used += (size_t)sprintf(list + used, "%s%s", i ? ", " : "", text);
	}
	apple_dext_free_bound_devices(devices);
	if (count)
		cli_error("%s: no such device (there are: %s)", name, list);
	else
		cli_error("%s: no such device (the driver service has none)", name);
}

/* Whether a device of that address is there, whoever refused to open it. */
static bool exists(const struct cli_address *address)
{
	AppleDextDevice *devices = NULL;
	size_t count = 0;
	bool found = false;

	if (apple_dext_copy_bound_devices(&devices, &count) != kIOReturnSuccess)
		return true;	/* nothing is known of it: connecting has the better reason */
	for (size_t i = 0; i < count; i++) {
		const AppleDextIdentity *id = &devices[i].identity;

		found |= id->bus == address->bus && id->device == address->device &&
			id->function == address->function;
	}
	apple_dext_free_bound_devices(devices);
	return found;
}

enum ctl_exit ctl_open(const char *text, struct ctl_device *device)
{
	struct cli_address address;
	const char *problem = cli_parse_address(text, &address);
	kern_return_t result;

	if (problem) {
		cli_error("%s: %s", text, problem);
		return CTL_USAGE;
	}
	if (!ctl_service_answers())
		return CTL_FAILED;
	cli_format_address(&address, device->name);
	device->connection = apple_dext_connect(address.bus, address.device, address.function);
	if (device->connection == IO_OBJECT_NULL) {
		/* Listing the devices sets the reason anew: keep it. */
		char *reason = cli_format("%s", apple_dext_last_error());

		if (exists(&address))
			cli_error("%s", reason);
		else
			say_no_such_device(device->name);
		free(reason);
		return CTL_FAILED;
	}
	result = apple_dext_get_identity(device->connection, &device->identity);
	if (result != kIOReturnSuccess) {
		ctl_fail(device, result, "cannot be identified");
		ctl_close(device);
		return CTL_FAILED;
	}
	return CTL_OK;
}

void ctl_close(struct ctl_device *device)
{
	apple_dext_disconnect(device->connection);
	device->connection = IO_OBJECT_NULL;
}

enum ctl_exit ctl_fail(
	const struct ctl_device *device, kern_return_t result, const char *what, ...)
{
	va_list arguments;
	char text[128];

	va_start(arguments, what);
	vsnprintf(text, sizeof(text), what, arguments);
	va_end(arguments);
	cli_error("%s: %s: %s (0x%08x)", device->name, text, ctl_explain(result),
		(unsigned)result);
	return CTL_FAILED;
}

void ctl_note(const struct ctl_device *device, const char *format, ...)
{
	va_list arguments;
	char text[256];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	cli_error("note: %s: %s", device->name, text);
}

/* Who is concerned by what comes, as far as the driver tells. After our own claim. */
static void note_company(const struct ctl_device *device, enum ctl_intent intent)
{
	AppleDextStatus status;
	unsigned others;

	if (apple_dext_get_status(device->connection, &status) != kIOReturnSuccess)
		return;
	others = status.claims - (status.claimed_by_caller && status.claims);
	if (others)
		ctl_note(device, "%u other client%s claimed it too, and see%s the %s", others,
			others == 1 ? " has" : "s have", others == 1 ? "s" : "",
			intent == CTL_TO_RESET ? "reset" : "change");
	else if (intent == CTL_TO_WRITE)
		ctl_note(device, "nobody else has claimed it: the driver resets it when this "
				 "command ends, which may undo the change");
}

static enum ctl_exit refused(const struct ctl_device *device, kern_return_t result)
{
	if (result != kIOReturnExclusiveAccess)
		return ctl_fail(device, result, "claim refused");
	cli_error("%s: claim refused: another client, such as a virtual machine, has the device "
		  "for itself alone; it has to let go first",
		device->name);
	return CTL_FAILED;
}

enum ctl_exit ctl_claim(const struct ctl_device *device, enum ctl_intent intent)
{
	kern_return_t result = apple_dext_claim(device->connection);

	if (result != kIOReturnSuccess)
		return refused(device, result);
	if (intent != CTL_TO_LOOK)
		note_company(device, intent);
	return CTL_OK;
}
