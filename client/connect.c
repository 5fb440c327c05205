/* SPDX-License-Identifier: BSD-3-Clause */
/* Enumerating the driver extensions, and connecting to one by its PCI address. */
#include "client/call.h"
#include "client/host.h"
#include "client/irq-page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char last_error[640];

static void set_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void set_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last_error, sizeof(last_error), format, args);
	va_end(args);
}

const char *apple_dext_last_error(void)
{
	return last_error;
}

/* Whether a service is a PCI driver extension, by its IOUserClass. */
static bool is_pci_driver(io_service_t service)
{
	CFTypeRef class = IORegistryEntryCreateCFProperty(
		service, CFSTR("IOUserClass"), kCFAllocatorDefault, 0);
	bool matches;

	if (!class)
		return false;
	matches = CFGetTypeID(class) == CFStringGetTypeID() &&
		  CFStringCompare(class, CFSTR(DEXT_USER_CLASS), 0) == kCFCompareEqualTo;
	CFRelease(class);
	return matches;
}

/* The next driver extension of an iterator, or IO_OBJECT_NULL. */
static io_service_t next_driver(io_iterator_t iterator)
{
	io_service_t service;

	while ((service = IOIteratorNext(iterator)) != IO_OBJECT_NULL) {
		if (is_pci_driver(service))
			return service;
		IOObjectRelease(service);
	}
	return IO_OBJECT_NULL;
}

static kern_return_t find_services(io_iterator_t *iterator)
{
	/* A driver extension's kernel class is IOUserService, whatever its own class is. */
	return IOServiceGetMatchingServices(
		kIOMainPortDefault, IOServiceMatching("IOUserService"), iterator);
}

/* Connect to a service and read its identity; no connection is open after a failure. */
static kern_return_t open_and_identify(
	io_service_t service, io_connect_t *connection, AppleDextIdentity *identity)
{
	kern_return_t status =
		IOServiceOpen(service, mach_task_self(), DEXT_USER_CLIENT_TYPE, connection);

	if (status != kIOReturnSuccess)
		return status;
	status = apple_dext_get_identity(*connection, identity);
	if (status != kIOReturnSuccess)
		apple_dext_disconnect(*connection);
	return status;
}

kern_return_t apple_dext_get_identity(io_connect_t connection, AppleDextIdentity *out_identity)
{
	uint64_t out[DEXT_OUT_GetIdentity];
	kern_return_t status;

	if (!out_identity)
		return kIOReturnBadArgument;
	status = dext_call(connection, GetIdentity, NULL, out);
	if (status != kIOReturnSuccess)
		return status;
	*out_identity = (AppleDextIdentity){
		.bus = (uint8_t)out[DEXT_IDENTITY_BUS],
		.device = (uint8_t)out[DEXT_IDENTITY_DEVICE],
		.function = (uint8_t)out[DEXT_IDENTITY_FUNCTION],
		.vendor_id = (uint16_t)out[DEXT_IDENTITY_VENDOR_ID],
		.device_id = (uint16_t)out[DEXT_IDENTITY_DEVICE_ID],
		.class_code = (uint32_t)out[DEXT_IDENTITY_CLASS_CODE] & 0xffffff,
	};
	return kIOReturnSuccess;
}

/* The name of a device's PCI root; "" when it names none. */
static void get_root(io_service_t service, char root[DEXT_ROOT_MAX])
{
	CFTypeRef name = IORegistryEntryCreateCFProperty(
		service, CFSTR(DEXT_ROOT_PROPERTY), kCFAllocatorDefault, 0);

	root[0] = '\0';
	if (!name)
		return;
	if (CFGetTypeID(name) != CFStringGetTypeID() ||
		!CFStringGetCString(name, root, DEXT_ROOT_MAX, kCFStringEncodingUTF8))
		root[0] = '\0';
	CFRelease(name);
}

/* The state of a search for one address. */
struct search {
	const char *root; /* NULL: any */
	uint8_t bus, device, function;
	unsigned seen; /* driver extensions examined */
	unsigned matches;
	io_connect_t connection; /* of the first match */
	kern_return_t failure;	 /* of the last service that could not be opened */
	char addresses[128];	 /* of the matches, for the error message */
};

static bool is_match(
	const struct search *search, const AppleDextIdentity *identity, const char *root)
{
	return identity->bus == search->bus && identity->device == search->device &&
	       identity->function == search->function &&
	       (!search->root || strcmp(search->root, root) == 0);
}

static void add_match(struct search *search, io_connect_t connection, const char *root)
{
	size_t used = strlen(search->addresses);

	snprintf(search->addresses + used, sizeof(search->addresses) - used, "%s%s%s%02x:%02x.%x",
		used ? ", " : "", root, *root ? "/" : "", search->bus, search->device,
		search->function);
	if (search->matches++ == 0)
		search->connection = connection;
	else
		apple_dext_disconnect(connection);
}

static void examine(struct search *search, io_service_t service)
{
	AppleDextIdentity identity;
	char root[DEXT_ROOT_MAX];
	io_connect_t connection;
	kern_return_t status = open_and_identify(service, &connection, &identity);

	search->seen++;
	get_root(service, root);
	if (status != kIOReturnSuccess)
		search->failure = status;
	else if (is_match(search, &identity, root))
		add_match(search, connection, root);
	else
		apple_dext_disconnect(connection);
}

/* Set the error of a search that did not find exactly one device. */
static void set_search_error(const struct search *search)
{
	char wanted[DEXT_ROOT_MAX + 16];
	const char *why;

	IOUserServiceStatus(&why);
	snprintf(wanted, sizeof(wanted), "%.15s%s%02x:%02x.%x", search->root ? search->root : "",
		search->root && *search->root ? "/" : "", search->bus, search->device,
		search->function);
	if (search->matches > 1)
		set_error("%s is ambiguous: %s; name the PCI root", wanted, search->addresses);
	else if (!search->seen && *why)
		set_error("no device %s: %s", wanted, why);
	else if (!search->seen)
		set_error("no driver extension of class %s is running", DEXT_USER_CLASS);
	else if (search->failure != kIOReturnSuccess)
		set_error("no device %s among %u, one of which refused with %#x%s%s", wanted,
			search->seen, (unsigned)search->failure, *why ? ": " : "", why);
	else
		set_error("no device %s among the %u there %s", wanted, search->seen,
			search->seen == 1 ? "is" : "are");
}

io_connect_t apple_dext_connect(uint8_t bus, uint8_t device, uint8_t function)
{
	return apple_dext_connect_with_root(NULL, bus, device, function);
}

io_connect_t apple_dext_connect_with_root(
	const char *root, uint8_t bus, uint8_t device, uint8_t function)
{
	struct search search = { .root = root, .bus = bus, .device = device, .function = function };
	io_iterator_t iterator;
	io_service_t service;

	last_error[0] = '\0';
	if (device > 31 || function > 7) {
		set_error("%02x:%02x.%x is no PCI address (device 0 to 1f, function 0 to 7)", bus,
			device, function);
		return IO_OBJECT_NULL;
	}
	if (find_services(&iterator) != kIOReturnSuccess) {
		set_error("the registry cannot be searched");
		return IO_OBJECT_NULL;
	}
	while ((service = next_driver(iterator)) != IO_OBJECT_NULL) {
		examine(&search, service);
		IOObjectRelease(service);
	}
	IOObjectRelease(iterator);
	if (search.matches == 1)
		return search.connection;
	set_search_error(&search);
	if (search.matches)
		apple_dext_disconnect(search.connection);
	return IO_OBJECT_NULL;
}

void apple_dext_disconnect(io_connect_t connection)
{
	if (connection == IO_OBJECT_NULL)
		return;
	irq_page_close(connection);
	IOServiceClose(connection);
}

static int by_address(const void *a, const void *b)
{
	const AppleDextDevice *x = a, *y = b;
	int first = x->identity.bus << 8 | x->identity.device << 3 | x->identity.function;
	int second = y->identity.bus << 8 | y->identity.device << 3 | y->identity.function;
	int roots = strcmp(x->root, y->root);

	return roots ? roots : first - second;
}

/* Append one service's device. A service that has terminated meanwhile is skipped. */
static kern_return_t append_device(AppleDextDevice **devices, size_t *count, io_service_t service)
{
	AppleDextDevice device = { .registry_entry_id = 0 }, *larger;
	io_connect_t connection;

	if (open_and_identify(service, &connection, &device.identity) != kIOReturnSuccess)
		return kIOReturnSuccess;
	apple_dext_disconnect(connection);
	IORegistryEntryGetRegistryEntryID(service, &device.registry_entry_id);
	get_root(service, device.root);
	larger = realloc(*devices, (*count + 1) * sizeof(*larger));
	if (!larger)
		return kIOReturnNoMemory;
	*devices = larger;
	larger[(*count)++] = device;
	return kIOReturnSuccess;
}

kern_return_t apple_dext_copy_bound_devices(AppleDextDevice **out_devices, size_t *out_count)
{
	AppleDextDevice *devices = NULL;
	io_iterator_t iterator;
	io_service_t service;
	const char *why;
	size_t count = 0;
	kern_return_t status;

	if (!out_devices || !out_count)
		return kIOReturnBadArgument;
	last_error[0] = '\0';
	status = find_services(&iterator);
	if (status != kIOReturnSuccess) {
		set_error("the registry cannot be searched");
		return status;
	}
	status = IOUserServiceStatus(&why);
	set_error("%s", why);
	/* Without a service the list is empty, which is a success. */
	if (status == kIOReturnNotAttached)
		status = kIOReturnSuccess;
	while (status == kIOReturnSuccess && (service = next_driver(iterator)) != IO_OBJECT_NULL) {
		status = append_device(&devices, &count, service);
		IOObjectRelease(service);
	}
	IOObjectRelease(iterator);
	if (status != kIOReturnSuccess) {
		free(devices);
		return status;
	}
	if (count)
		qsort(devices, count, sizeof(*devices), by_address);
	*out_devices = devices;
	*out_count = count;
	return kIOReturnSuccess;
}

void apple_dext_free_bound_devices(AppleDextDevice *devices)
{
	free(devices);
}
