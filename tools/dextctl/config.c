/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl config read, config write: one register of config space; config dump: all of it. */
#include "tools/dextctl/config-space.h"
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/view.h"

#include <dext-abi.h>
#include <pci/pci.h>
#include <stdlib.h>
#include <string.h>

/* Parse REGISTER and --width. */
static bool parse(const struct ctl_options *options, const char *text, struct access *access,
	struct register_ref *ref)
{
	const char *problem = register_parse(text, ref);

	if (problem) {
		cli_error("%s: %s", text, problem);
		return false;
	}
	if (ref->width_given && options->width && options->width != ref->width) {
		cli_error("%s: expected the same width as that of --width %u", text,
			(unsigned)options->width);
		return false;
	}
	*access = (struct access){ .bar = -1, .offset = ref->offset, .width = 4 };
	if (options->width)
		access->width = options->width;
	else if (ref->width)
		access->width = ref->width;
	return ctl_check_width(access->width, 4) &&
	       (ref->where != REGISTER_AT || ctl_check_access("config space", access->offset,
						     access->width, DEXT_CONFIG_SIZE));
}

/* Set offset and name of @access. Capabilities are read only if they are needed for that. */
static enum ctl_exit find_register(const struct ctl_device *device, const struct register_ref *ref,
	const char *text, struct access *access)
{
	bool in_cap = ref->where != REGISTER_AT;
	bool extended = ref->where == REGISTER_IN_ECAP || ref->offset >= CAP_CONFIG_SMALL;
	size_t size = extended ? DEXT_CONFIG_SIZE : CAP_CONFIG_SMALL;
	uint8_t config[DEXT_CONFIG_SIZE];
	struct cap_list *caps = NULL;
	enum ctl_exit exit_status = CTL_OK;
	kern_return_t status = kIOReturnSuccess;

	if (in_cap || ref->offset >= 0x40) {
		status = apple_dext_config_read_block(device->connection, 0, config, size);
		if (status == kIOReturnSuccess) {
			caps = cli_allocate(sizeof(*caps));
			caps_read(config, size, caps);
		} else if (in_cap) {
			return ctl_fail(device, status, "capabilities: not read");
		}
	}
	if (!register_find(ref, caps, &access->offset)) {
		cli_error("%s: %s: the device has no such capability", device->name, text);
		exit_status = CTL_FAILED;
	} else if (!ctl_check_access(text, access->offset, access->width, DEXT_CONFIG_SIZE)) {
		exit_status = CTL_USAGE;
	} else {
		register_name(access->offset, caps, access->name);
	}
	free(caps);
	return exit_status;
}

/* Open the device and find the register. On an error nothing is open. */
static enum ctl_exit open_register(char **arguments, const struct register_ref *ref,
	struct ctl_device *device, struct access *access)
{
	enum ctl_exit exit_status = ctl_open(arguments[0], device);

	if (exit_status != CTL_OK)
		return exit_status;
	access->device = device->name;
	exit_status = find_register(device, ref, arguments[1], access);
	if (exit_status != CTL_OK)
		ctl_close(device);
	return exit_status;
}

static enum ctl_exit fail(const struct ctl_device *device, const struct access *access,
	kern_return_t status, const char *what)
{
	return ctl_fail(device, status, "config space, offset 0x%llx%s%s: not %s",
		(unsigned long long)access->offset, access->name[0] ? ", " : "", access->name,
		what);
}

static enum ctl_exit config_read(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct register_ref ref;
	struct access access;
	enum ctl_exit exit_status;
	kern_return_t status;

	if (!parse(options, arguments[1], &access, &ref))
		return CTL_USAGE;
	exit_status = open_register(arguments, &ref, &device, &access);
	if (exit_status != CTL_OK)
		return exit_status;
	status = apple_dext_config_read(
		device.connection, access.offset, access.width, &access.value);
	if (status == kIOReturnSuccess)
		access_print(&access, options);
	else
		exit_status = fail(&device, &access, status, "read");
	ctl_close(&device);
	return exit_status;
}

/* "VALUE" or "VALUE:MASK", each of @width bytes. */
static bool parse_value(char *text, uint64_t width, uint64_t *value, uint64_t *mask)
{
	char *colon = strchr(text, ':');

	*mask = UINT64_MAX;
	if (colon)
		*colon = '\0';
	return ctl_hex("VALUE", text, value) && ctl_check_value(*value, width) &&
	       (!colon || (ctl_hex("MASK", colon + 1, mask) && ctl_check_value(*mask, width)));
}

/* With a mask, @access->value is then the value of the whole register. */
static enum ctl_exit claim_and_write(
	const struct ctl_device *device, struct access *access, uint64_t mask)
{
	enum ctl_exit exit_status = ctl_claim(device, CTL_TO_WRITE);
	kern_return_t status;
	uint64_t before;

	if (exit_status != CTL_OK)
		return exit_status;
	if (mask != UINT64_MAX) {
		status = apple_dext_config_read(
			device->connection, access->offset, access->width, &before);
		if (status != kIOReturnSuccess)
			return fail(device, access, status, "read");
		access->value = (before & ~mask) | (access->value & mask);
	}
	status = apple_dext_config_write(
		device->connection, access->offset, access->width, access->value);
	return status == kIOReturnSuccess ? CTL_OK : fail(device, access, status, "written");
}

static enum ctl_exit config_write(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct register_ref ref;
	struct access access;
	enum ctl_exit exit_status;
	uint64_t mask;

	if (!parse(options, arguments[1], &access, &ref) ||
		!parse_value(arguments[2], access.width, &access.value, &mask))
		return CTL_USAGE;
	exit_status = open_register(arguments, &ref, &device, &access);
	if (exit_status != CTL_OK)
		return exit_status;
	exit_status = claim_and_write(&device, &access, mask);
	if (exit_status == CTL_OK)
		access_print_written(&access, options);
	ctl_close(&device);
	return exit_status;
}

const struct ctl_command ctl_config_read = {
	.name = "config read",
	.arguments = "ADDR REGISTER",
	.options = CTL_TAKES_WIDTH,
	.summary = "read a register of config space",
	.help = "Read a register of config space and print its value and its name. REGISTER is\n"
		"written as for setpci: an offset in hex (0 to fff) or a name (VENDOR_ID,\n"
		"COMMAND, BASE_ADDRESS_0, CAP_MSI, ECAP_AER), optionally +OFFSET, optionally .b,\n"
		".w or .l for 1, 2 or 4 bytes. The default width is that of the register, else 4\n"
		"bytes. BARs have no address, only their type bits: the host owns the addresses.\n",
	.examples = "dextctl config read 01:00.0 VENDOR_ID\n"
		    "dextctl config read 01:00.0 40.w\n"
		    "dextctl config read 01:00.0 CAP_EXP+8\n",
	.run = config_read,
};

const struct ctl_command ctl_config_write = {
	.name = "config write",
	.arguments = "ADDR REGISTER VALUE[:MASK]",
	.options = CTL_TAKES_WIDTH,
	.summary = "write a register of config space",
	.help = "Claim the device and write VALUE, in hex, to a register of config space, named\n"
		"as for config read. With MASK, only the bits of the mask are changed. Other\n"
		"clients that have claimed the device see the change: this is dangerous to a\n"
		"virtual machine that drives it. The device is reset when its last claim ends:\n"
		"without another client, when this command ends, which may undo the change.\n",
	.examples = "dextctl config write 01:00.0 INTERRUPT_LINE b\n"
		    "dextctl config write 01:00.0 COMMAND 4:4\n",
	.run = config_write,
};

/* --- config dump: as lspci -xxxx prints it -------------------------------------- */

/*
 * The host owns the addresses of BARs. A 32-bit BAR that is not prefetchable therefore reads as
 * 0, which to lspci -F is a BAR that does not exist. The dump has an address there that such a
 * BAR could have, and reports it in a line that lspci ignores.
 */
static void add_placeholders(const struct view *view, uint8_t config[DEXT_CONFIG_SIZE])
{
	uint64_t end = 1;

	for (unsigned i = 0; i < DEXT_BARS; i++) {
		const struct view_bar *bar = &view->bars[i];
		size_t at = PCI_BASE_ADDRESS_0 + 4 * i;
		uint64_t address;

		/* The size comes from the driver: it may be anything. */
		if (!bar->present || bar->type || config_get32(config, at) || bar->size < 16 ||
			bar->size > UINT32_MAX || bar->size & (bar->size - 1))
			continue;
		address = (end + bar->size - 1) & ~(bar->size - 1);
		end = address + bar->size;
		if (end > UINT64_C(1) << 32)
			return;
		for (unsigned byte = 0; byte < 4; byte++)
			config[at + byte] = (uint8_t)(address >> 8 * byte);
		printf("\tRegion %u: %08x is a placeholder: the host owns the address\n", i,
			(unsigned)address);
	}
}

static void print_dump(const struct view *view, struct names *names, bool json)
{
	char address[PCI_ADDRESS_SIZE], bytes[2 * DEXT_CONFIG_SIZE + 1] = "", *title;
	uint8_t config[DEXT_CONFIG_SIZE];
	struct json_object *object;

	if (json) {
		for (size_t i = 0; i < view->config_size; i++)
			snprintf(bytes + 2 * i, 3, "%02x", view->config[i]);
		view_address(view, address);
		object = json_new_object();
		json_put_text(object, "address", address);
		json_put_number(object, "size", view->config_size);
		json_put_text(object, "bytes", bytes);
		json_print(object);
		return;
	}
	/* lspci -F reads a title, lines of 16 bytes, and an empty line. */
	title = view_title(view, names);
	puts(title);
	free(title);
	memcpy(config, view->config, sizeof(config));
	add_placeholders(view, config);
	for (size_t offset = 0; offset < view->config_size; offset++) {
		if (offset % 16 == 0)
			printf("%02zx:", offset);
		printf(" %02x%s", config[offset], offset % 16 == 15 ? "\n" : "");
	}
	putchar('\n');
}

static enum ctl_exit config_dump(const struct ctl_options *options, char **arguments)
{
	return view_show(options, arguments[0], print_dump);
}

const struct ctl_command ctl_config_dump = {
	.name = "config dump",
	.arguments = "ADDR",
	.summary = "print config space, for lspci -F",
	.help = "Print config space as lspci -xxxx does, for lspci -F, which decodes all\n"
		"capabilities: 4096 bytes of a PCI Express device, 256 of any other. The host\n"
		"owns the addresses of BARs, so only their type bits are printed. A BAR that\n"
		"would be all zero, which lspci does not show, has a placeholder, which a line\n"
		"reports. With --json there are no placeholders.\n",
	.examples = "dextctl config dump 01:00.0\n"
		    "dextctl config dump 01:00.0 >dump && lspci -F dump -vv\n",
	.run = config_dump,
};

/* --- Output of accesses to config space and BARs ------------------------------------- */

struct json_object *access_json(const struct access *access)
{
	struct json_object *object = json_new_object();

	json_put_text(object, "address", access->device);
	if (access->bar >= 0)
		json_put_number(object, "bar", (uint64_t)access->bar);
	else
		json_put_text(object, "register", access->name[0] ? access->name : NULL);
	json_put_number(object, "offset", access->offset);
	json_put_number(object, "width", access->width);
	return object;
}

void access_print_written(const struct access *access, const struct ctl_options *options)
{
	struct json_object *object;

	if (!options->json)
		return;
	object = access_json(access);
	json_put_hex(object, "value", (int)access->width * 2, access->value);
	json_print(object);
}

void access_print(const struct access *access, const struct ctl_options *options)
{
	if (options->json)
		access_print_written(access, options);
	else
		printf("0x%0*llx%s%s\n", (int)access->width * 2, (unsigned long long)access->value,
			access->name[0] ? "  " : "", access->name);
}
