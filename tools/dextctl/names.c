/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/cli.h"
#include "tools/dextctl/names.h"

#include <pci/pci.h>
#include <stdarg.h>
#include <stdlib.h>

struct names {
	/* Not initialized with pci_init(), which would scan the PCI devices of this host. */
	struct pci_access *database;
	bool numeric;
};

static void warn(char *format, ...)
{
	va_list arguments;
	char text[256];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	cli_error("names: %s", text);
}

static void fail(char *format, ...) __attribute__((noreturn));

static void fail(char *format, ...)
{
	warn("libpci failed: %s", format);
	exit(EXIT_FAILURE);
}

static void ignore(char *format, ...)
{
	(void)format;
}

struct names *names_open(bool numeric)
{
	struct names *names = cli_allocate(sizeof(*names));

	names->database = pci_alloc();
	names->database->warning = warn;
	names->database->error = fail;
	names->database->debug = ignore;
	names->database->numeric_ids = numeric;
	/* Not the database of udev: libpci leaks what it allocates for that. */
	names->database->id_lookup_mode |= PCI_LOOKUP_NO_HWDB;
	names->numeric = numeric;
	return names;
}

void names_close(struct names *names)
{
	pci_cleanup(names->database);
	free(names);
}

const char *names_class(struct names *names, uint32_t class_code, char text[NAME_SIZE])
{
	return pci_lookup_name(names->database, text, NAME_SIZE, PCI_LOOKUP_CLASS, class_code >> 8);
}

const char *names_device(
	struct names *names, uint16_t vendor_id, uint16_t device_id, char text[NAME_SIZE])
{
	return pci_lookup_name(names->database, text, NAME_SIZE,
		PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE, vendor_id, device_id);
}

/* libpci reads as many of @a to @d as @what needs. */
static const char *find(
	struct names *names, char *text, int what, unsigned a, unsigned b, unsigned c, unsigned d)
{
	if (names->numeric)
		return NULL;
	return pci_lookup_name(
		names->database, text, NAME_SIZE, what | PCI_LOOKUP_NO_NUMBERS, a, b, c, d);
}

const char *names_find_class(struct names *names, uint32_t class_code, char text[NAME_SIZE])
{
	return find(names, text, PCI_LOOKUP_CLASS, class_code >> 8, 0, 0, 0);
}

const char *names_find_interface(struct names *names, uint32_t class_code, char text[NAME_SIZE])
{
	return find(names, text, PCI_LOOKUP_PROGIF, class_code >> 8, class_code & 0xff, 0, 0);
}

const char *names_find_vendor(struct names *names, uint16_t vendor_id, char text[NAME_SIZE])
{
	return find(names, text, PCI_LOOKUP_VENDOR, vendor_id, 0, 0, 0);
}

const char *names_find_device(
	struct names *names, uint16_t vendor_id, uint16_t device_id, char text[NAME_SIZE])
{
	return find(names, text, PCI_LOOKUP_DEVICE, vendor_id, device_id, 0, 0);
}

const char *names_find_subsystem(struct names *names, uint16_t vendor_id, uint16_t device_id,
	uint16_t subsystem_vendor_id, uint16_t subsystem_id, char text[NAME_SIZE])
{
	return find(names, text, PCI_LOOKUP_SUBSYSTEM | PCI_LOOKUP_DEVICE, vendor_id, device_id,
		subsystem_vendor_id, subsystem_id);
}
