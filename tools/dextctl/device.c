/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding, opening and claiming a device, and saying well why that failed. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"

#include <iokit-user/client.h>
#include <iokit-user/service.h>
#include <stdarg.h>
#include <string.h>

bool ctl_service_answers(void)
{
	char error[512];

	if (iouser_service_probe(error, sizeof(error)))
		return true;
	/* Another service is no help where there is one that refuses. */
	if (IOUserServiceStatus(NULL) == kIOReturnNotAttached)
		cli_error("%s: start one with dextd --device SPEC", error);
	else
		cli_error("%s", error);
	return false;
}

/* The devices that there are, as far as they can be listed. */
struct listing {
	bool known;
	AppleDextDevice *devices;
	size_t count;
};

static struct listing list_devices(void)
{
	struct listing listing = { .known = false };

	listing.known =
		apple_dext_copy_bound_devices(&listing.devices, &listing.count) == kIOReturnSuccess;
	if (!listing.known)
		listing.count = 0;
	return listing;
}

/* An address as it was typed: that of one root, or of any. */
struct wanted {
	bool rooted;
	struct pci_address at;
};

static bool is_wanted(const struct wanted *wanted, const AppleDextDevice *device)
{
	const AppleDextIdentity *identity = &device->identity;

	return identity->bus == wanted->at.bus && identity->device == wanted->at.device &&
	       identity->function == wanted->at.function &&
	       (!wanted->rooted ||
		       strncmp(wanted->at.root, device->root, sizeof(device->root)) == 0);
}

/* How many an address means, and the first of them. */
static size_t find_listed(
	const struct listing *listing, const struct wanted *address, const AppleDextDevice **first)
{
	size_t found = 0;

	for (size_t i = 0; i < listing->count; i++)
		if (is_wanted(address, &listing->devices[i]) && found++ == 0)
			*first = &listing->devices[i];
	return found;
}

/* "01:00.0, left/02:00.0, ...": those that @wanted means, or all of them without it. */
static void format_listing(
	const struct listing *listing, const struct wanted *wanted, char *list, size_t size)
{
	size_t used = 0;

	*list = '\0';
	for (size_t i = 0; i < listing->count; i++) {
		const AppleDextDevice *device = &listing->devices[i];
		char text[PCI_ADDRESS_SIZE];

		if (wanted && !is_wanted(wanted, device))
			continue;
		format_address(device->root, &device->identity, text);
		if (used + 2 * sizeof(text) > size)
			snprintf(text, sizeof(text), "...");
		/* Among several of one address, the one without a root is told by an empty one. */
		used += (size_t)snprintf(list + used, size - used, "%s%s%s", used ? ", " : "",
			wanted && !device->root[0] ? "/" : "", text);
		if (used + sizeof(text) > size)
			return;
	}
}

static void say_no_such_device(const char *text, const struct listing *listing)
{
	char list[256];

	format_listing(listing, NULL, list, sizeof(list));
	if (listing->count)
		cli_error("%s: no such device (there are: %s)", text, list);
	else
		cli_error("%s: no such device (the driver service has none)", text);
}

static enum ctl_exit open_found(const char *text, const struct wanted *address,
	const struct listing *listing, struct ctl_device *device)
{
	const AppleDextDevice *found = NULL;
	size_t count = find_listed(listing, address, &found);
	char list[256];

	if (count == 1)
		return ctl_open_listed(found, device);
	if (!count) {
		say_no_such_device(text, listing);
		return CTL_FAILED;
	}
	format_listing(listing, address, list, sizeof(list));
	cli_error("%s: %zu devices have this address, on several PCI roots: expected one of %s",
		text, count, list);
	return CTL_FAILED;
}

enum ctl_exit ctl_open(const char *text, struct ctl_device *device)
{
	struct wanted address;
	const char *problem = pci_address_parse(text, &address.at, &address.rooted);
	struct listing listing;
	enum ctl_exit status;

	if (problem) {
		cli_error("%s: %s", text, problem);
		return CTL_USAGE;
	}
	if (!ctl_service_answers())
		return CTL_FAILED;
	listing = list_devices();
	if (listing.known) {
		status = open_found(text, &address, &listing, device);
	} else {
		cli_error("%s: the devices cannot be listed", text);
		status = CTL_FAILED;
	}
	apple_dext_free_bound_devices(listing.devices);
	return status;
}

enum ctl_exit ctl_open_listed(const AppleDextDevice *listed, struct ctl_device *device)
{
	const AppleDextIdentity *identity = &listed->identity;
	kern_return_t result;

	*device = (struct ctl_device){ .connection = IO_OBJECT_NULL };
	format_address(listed->root, identity, device->name);
	snprintf(device->root, sizeof(device->root), "%.*s", DEXT_ROOT_MAX - 1, listed->root);
	device->connection = apple_dext_connect_with_root(
		device->root, identity->bus, identity->device, identity->function);
	if (device->connection == IO_OBJECT_NULL) {
		cli_error("%s: cannot be opened: %s", device->name, apple_dext_last_error());
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

kern_return_t ctl_alive(const struct ctl_device *device)
{
	AppleDextIdentity identity;

	return apple_dext_get_identity(device->connection, &identity);
}

enum ctl_exit ctl_fail(const struct ctl_device *device, kern_return_t result, const char *what, ...)
{
	va_list arguments;
	char text[128];

	va_start(arguments, what);
	vsnprintf(text, sizeof(text), what, arguments);
	va_end(arguments);
	cli_error("%s: %s: %s (0x%08x)", device->name, text, ctl_explain(result), (unsigned)result);
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

void ctl_note_company(const struct ctl_device *device, enum ctl_intent intent)
{
	static const char *const seen[] = { [CTL_TO_LOOK] = "command",
		[CTL_TO_WRITE] = "change",
		[CTL_TO_RESET] = "reset",
		[CTL_TO_REMOVE] = "removal" };
	AppleDextStatus status;
	unsigned others;

	if (apple_dext_get_status(device->connection, &status) != kIOReturnSuccess)
		return;
	others = status.claims - (status.claimed_by_caller && status.claims);
	if (others)
		ctl_note(device, "%u other client%s claimed it, and see%s the %s", others,
			others == 1 ? " has" : "s have", others == 1 ? "s" : "", seen[intent]);
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
		ctl_note_company(device, intent);
	return CTL_OK;
}
