/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding, opening and claiming a device, and the errors of that. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"

#include <iokit-user/client.h>
#include <iokit-user/service.h>
#include <stdarg.h>
#include <string.h>

/* --- Statuses --------------------------------------------------------------------- */

#define ROW(status, text)                                                                          \
	{                                                                                          \
		(status), #status, (text)                                                          \
	}

static const struct {
	kern_return_t status;
	const char *name, *text;
} statuses[] = {
	ROW(kIOReturnSuccess, "success"),
	ROW(kIOReturnError, "general error"),
	ROW(kIOReturnNoMemory, "no memory"),
	ROW(kIOReturnNoResources, "no resources"),
	ROW(kIOReturnIPCError, "communication with the driver service failed"),
	ROW(kIOReturnNoDevice, "no such device"),
	ROW(kIOReturnNotPrivileged,
		"only for clients that have claimed the device, the service's own user, and root"),
	ROW(kIOReturnBadArgument, "refused as a bad argument"),
	ROW(kIOReturnExclusiveAccess, "another client has claimed the device exclusively"),
	ROW(kIOReturnUnsupported, "the driver or the device does not support it"),
	ROW(kIOReturnVMError, "no such memory"),
	ROW(kIOReturnInternalError, "internal error of the driver"),
	ROW(kIOReturnIOError, "I/O error"),
	ROW(kIOReturnNotOpen, "the device is not claimed"),
	ROW(kIOReturnNotAligned, "not aligned"),
	ROW(kIOReturnStillOpen, "set up already"),
	ROW(kIOReturnDMAError, "DMA error"),
	ROW(kIOReturnBusy, "busy"),
	ROW(kIOReturnTimeout, "timeout"),
	ROW(kIOReturnOffline, "the driver or its device has gone"),
	ROW(kIOReturnNotReady, "not ready"),
	ROW(kIOReturnNotAttached, "there is no driver service"),
	ROW(MIG_SERVER_DIED, "the driver has gone"),
	ROW(MACH_SEND_INVALID_DEST, "the driver has gone"),
	ROW(kIOReturnNoSpace, "no space left"),
	ROW(kIOReturnNotPermitted, "not permitted"),
	ROW(kIOReturnOverrun, "past the end"),
	ROW(kIOReturnDeviceError, "the device reports an error"),
	ROW(kIOReturnAborted, "aborted"),
	ROW(kIOReturnNotResponding, "the device does not respond"),
	ROW(kIOReturnNotFound, "not found"),
};
#define STATUS_COUNT (sizeof(statuses) / sizeof(statuses[0]))

const char *ctl_status_text(kern_return_t status)
{
	for (size_t i = 0; i < STATUS_COUNT; i++)
		if (statuses[i].status == status)
			return statuses[i].text;
	return "unknown error";
}

const char *ctl_status_name(kern_return_t status)
{
	for (size_t i = 0; i < STATUS_COUNT; i++)
		if (statuses[i].status == status)
			return statuses[i].name;
	return NULL;
}

enum ctl_exit ctl_fail(const struct ctl_device *device, kern_return_t status, const char *what, ...)
{
	va_list arguments;
	char text[128];

	va_start(arguments, what);
	vsnprintf(text, sizeof(text), what, arguments);
	va_end(arguments);
	cli_error("%s: %s: %s (0x%08x)", device->name, text, ctl_status_text(status),
		(unsigned)status);
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

/* --- Finding and opening ------------------------------------------------------------ */

bool ctl_service_answers(void)
{
	char error[512];

	if (iouser_service_probe(error, sizeof(error)))
		return true;
	/* If a service runs and refuses us, starting another does not help. */
	if (IOUserServiceStatus(NULL) == kIOReturnNotAttached)
		cli_error("%s: start one with dextd --device SPEC", error);
	else
		cli_error("%s", error);
	return false;
}

/* An address of the command line: of a device under one PCI root, or under any. */
struct wanted {
	bool rooted;
	struct pci_address address;
};

static bool is_wanted(const struct wanted *wanted, const AppleDextDevice *device)
{
	const AppleDextIdentity *identity = &device->identity;
	const struct pci_address *address = &wanted->address;

	return identity->bus == address->bus && identity->device == address->device &&
	       identity->function == address->function &&
	       (!wanted->rooted || strncmp(address->root, device->root, sizeof(device->root)) == 0);
}

/* "01:00.0, left/02:00.0": the devices that @wanted names, or all if it is NULL. */
static void format_list(const AppleDextDevice *devices, size_t count, const struct wanted *wanted,
	char *list, size_t size)
{
	size_t used = 0;

	*list = '\0';
	for (size_t i = 0; i < count; i++) {
		char text[PCI_ADDRESS_SIZE];

		if (wanted && !is_wanted(wanted, &devices[i]))
			continue;
		if (size - used < sizeof(", /") + sizeof(text) + sizeof(", ...")) {
			snprintf(list + used, size - used, ", ...");
			return;
		}
		format_address(devices[i].root, &devices[i].identity, text);
		/* On the command line, a slash selects the device without a root. */
		used += (size_t)snprintf(list + used, size - used, "%s%s%s", used ? ", " : "",
			wanted && !devices[i].root[0] ? "/" : "", text);
	}
}

enum ctl_exit ctl_open(const char *text, struct ctl_device *device)
{
	struct wanted wanted;
	const char *problem = pci_address_parse(text, &wanted.address, &wanted.rooted);
	const AppleDextDevice *match = NULL;
	enum ctl_exit exit_status = CTL_FAILED;
	size_t count, matches = 0;
	AppleDextDevice *devices;
	char list[256];

	if (problem) {
		cli_error("%s: %s", text, problem);
		return CTL_USAGE;
	}
	if (!ctl_service_answers())
		return CTL_FAILED;
	if (apple_dext_copy_bound_devices(&devices, &count) != kIOReturnSuccess) {
		cli_error("%s: the devices cannot be listed", text);
		return CTL_FAILED;
	}
	for (size_t i = 0; i < count; i++)
		if (is_wanted(&wanted, &devices[i]) && matches++ == 0)
			match = &devices[i];
	format_list(devices, count, matches ? &wanted : NULL, list, sizeof(list));
	if (matches == 1)
		exit_status = ctl_open_listed(match, device);
	else if (matches)
		cli_error("%s: %zu devices have this address, on several PCI roots: expected one "
			  "of %s",
			text, matches, list);
	else if (count)
		cli_error("%s: no such device (there are: %s)", text, list);
	else
		cli_error("%s: no such device (the driver service has none)", text);
	apple_dext_free_bound_devices(devices);
	return exit_status;
}

enum ctl_exit ctl_open_listed(const AppleDextDevice *listed, struct ctl_device *device)
{
	const AppleDextIdentity *identity = &listed->identity;
	kern_return_t status;

	*device = (struct ctl_device){ .connection = IO_OBJECT_NULL };
	format_address(listed->root, identity, device->name);
	snprintf(device->root, sizeof(device->root), "%.*s", DEXT_ROOT_MAX - 1, listed->root);
	device->connection = apple_dext_connect_with_root(
		device->root, identity->bus, identity->device, identity->function);
	if (device->connection == IO_OBJECT_NULL) {
		cli_error("%s: cannot be opened: %s", device->name, apple_dext_last_error());
		return CTL_FAILED;
	}
	status = apple_dext_get_identity(device->connection, &device->identity);
	if (status != kIOReturnSuccess) {
		ctl_fail(device, status, "cannot be identified");
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

kern_return_t ctl_alive(const struct ctl_device *device)
{
	AppleDextIdentity identity;

	return apple_dext_get_identity(device->connection, &identity);
}

/* --- Claiming ----------------------------------------------------------------------- */

void ctl_note_other_clients(const struct ctl_device *device, enum ctl_intent intent)
{
	static const char *const effects[] = { [CTL_TO_READ] = "command",
		[CTL_TO_WRITE] = "change",
		[CTL_TO_RESET] = "reset",
		[CTL_TO_REMOVE] = "removal" };
	AppleDextStatus use;
	unsigned others;

	if (apple_dext_get_status(device->connection, &use) != kIOReturnSuccess)
		return;
	others = use.claims - (use.claimed_by_caller && use.claims);
	if (others)
		ctl_note(device, "%u other client%s claimed it, and see%s the %s", others,
			others == 1 ? " has" : "s have", others == 1 ? "s" : "", effects[intent]);
	else if (intent == CTL_TO_WRITE)
		ctl_note(device, "no other client has claimed it: the driver resets it when this "
				 "command ends, which may undo the change");
}

enum ctl_exit ctl_claim(const struct ctl_device *device, enum ctl_intent intent)
{
	kern_return_t status = apple_dext_claim(device->connection);

	if (status == kIOReturnExclusiveAccess) {
		cli_error("%s: claim refused: another client, such as a virtual machine, has "
			  "claimed the device exclusively",
			device->name);
		return CTL_FAILED;
	}
	if (status != kIOReturnSuccess)
		return ctl_fail(device, status, "claim refused");
	if (intent != CTL_TO_READ)
		ctl_note_other_clients(device, intent);
	return CTL_OK;
}
