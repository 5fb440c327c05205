/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl config read, config write: one register of config space; config dump: all of it. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/registers.h"
#include "tools/dextctl/view.h"

#include <dext-abi.h>
#include <pci/pci.h>
#include <stdlib.h>
#include <string.h>

/* What both begin with: the arguments before the device. */
static bool parse(const struct ctl_options *options, const char *text, struct access *access,
	struct register_ref *ref)
{
	const char *problem = register_parse(text, ref);

	if (problem) {
		cli_error("%s: %s", text, problem);
		return false;
	}
	if (ref->width_typed && options->width && options->width != ref->width) {
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

/* The capabilities, for free(). The extended ones are read where they matter. */
static kern_return_t read_caps(
	const struct ctl_device *device, bool extended, struct cap_list **caps)
{
	size_t size = extended ? DEXT_CONFIG_SIZE : CAP_CONFIG_SMALL;
	uint8_t config[DEXT_CONFIG_SIZE];
	kern_return_t result = apple_dext_config_read_block(device->connection, 0, config, size);

	*caps = NULL;
	if (result != kIOReturnSuccess)
		return result;
	*caps = cli_allocate(sizeof(**caps));
	caps_read(config, size, *caps);
	return kIOReturnSuccess;
}

/* Where the register is, and what it is called: into @access. */
static enum ctl_exit find_register(const struct ctl_device *device, const struct register_ref *ref,
	const char *text, struct access *access)
{
	bool in_cap = ref->where != REGISTER_AT;
	struct cap_list *caps = NULL;
	enum ctl_exit status = CTL_OK;
	kern_return_t result = kIOReturnSuccess;

	/* The header has no need of them; elsewhere an offset alone does without. */
	if (in_cap || ref->offset >= 0x40)
		result = read_caps(device,
			ref->where == REGISTER_IN_ECAP || ref->offset >= CAP_CONFIG_SMALL, &caps);
	if (in_cap && result != kIOReturnSuccess)
		return ctl_fail(device, result, "capabilities: not read");
	if (!register_find(ref, caps, &access->offset)) {
		cli_error("%s: %s: the device has no such capability", device->name, text);
		status = CTL_FAILED;
	} else if (!ctl_check_access(text, access->offset, access->width, DEXT_CONFIG_SIZE)) {
		status = CTL_USAGE;
	} else {
		register_name(access->offset, caps, access->name);
	}
	free(caps);
	return status;
}

/* Open the device and find the register; on failure nothing is open. */
static enum ctl_exit open_register(char **arguments, const struct register_ref *ref,
	struct ctl_device *device, struct access *access)
{
	enum ctl_exit status = ctl_open(arguments[0], device);

	if (status != CTL_OK)
		return status;
	access->device = device->name;
	status = find_register(device, ref, arguments[1], access);
	if (status != CTL_OK)
		ctl_close(device);
	return status;
}

static enum ctl_exit fail(const struct ctl_device *device, const struct access *access,
	kern_return_t result, const char *what)
{
	return ctl_fail(device, result, "config space, offset 0x%llx%s%s: not %s",
		(unsigned long long)access->offset, access->name[0] ? ", " : "", access->name,
		what);
}

static enum ctl_exit config_read(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct register_ref ref;
	struct access access;
	enum ctl_exit status;
	kern_return_t result;

	if (!parse(options, arguments[1], &access, &ref))
		return CTL_USAGE;
	status = open_register(arguments, &ref, &device, &access);
	if (status != CTL_OK)
		return status;
	result = apple_dext_config_read(
		device.connection, access.offset, access.width, &access.value);
	if (result == kIOReturnSuccess)
		access_print(&access, options);
	else
		status = fail(&device, &access, result, "read");
	ctl_close(&device);
	return status;
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

/* The bits in @mask become those of the value, which becomes that of the whole register. */
static enum ctl_exit claim_and_write(
	const struct ctl_device *device, struct access *access, uint64_t mask)
{
	enum ctl_exit status = ctl_claim(device, CTL_TO_WRITE);
	kern_return_t result;
	uint64_t before;

	if (status != CTL_OK)
		return status;
	if (mask != UINT64_MAX) {
		result = apple_dext_config_read(
			device->connection, access->offset, access->width, &before);
		if (result != kIOReturnSuccess)
			return fail(device, access, result, "read");
		access->value = (before & ~mask) | (access->value & mask);
	}
	result = apple_dext_config_write(
		device->connection, access->offset, access->width, access->value);
	return result == kIOReturnSuccess ? CTL_OK : fail(device, access, result, "written");
}

static enum ctl_exit config_write(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct register_ref ref;
	struct access access;
	enum ctl_exit status;
	uint64_t mask;

	if (!parse(options, arguments[1], &access, &ref) ||
		!parse_value(arguments[2], access.width, &access.value, &mask))
		return CTL_USAGE;
	status = open_register(arguments, &ref, &device, &access);
	if (status != CTL_OK)
		return status;
	status = claim_and_write(&device, &access, mask);
	if (status == CTL_OK)
		access_print_written(&access, options);
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_config_read = {
	.name = "config read",
	.arguments = "ADDR REGISTER",
	.min_arguments = 2,
	.max_arguments = 2,
	.options = CTL_TAKES_WIDTH,
	.summary = "read a register of config space",
	.help = "Read a register of config space and print its value and its name. REGISTER is\n"
		"as with setpci: an offset in hex (0 to fff), or a name (VENDOR_ID, COMMAND,\n"
		"BASE_ADDRESS_0, CAP_MSI, ECAP_AER); then perhaps +OFFSET; then perhaps .b, .w\n"
		"or .l for 1, 2 or 4 bytes. Without a width it is the register's own, else 4\n"
		"bytes. BARs show their type bits alone: the host owns the addresses.\n",
	.examples = "dextctl config read 01:00.0 VENDOR_ID\n"
		    "dextctl config read 01:00.0 40.w\n"
		    "dextctl config read 01:00.0 CAP_EXP+8\n",
	.run = config_read,
};

const struct ctl_command ctl_config_write = {
	.name = "config write",
	.arguments = "ADDR REGISTER VALUE[:MASK]",
	.min_arguments = 3,
	.max_arguments = 3,
	.options = CTL_TAKES_WIDTH,
	.summary = "write a register of config space",
	.help = "Claim the device and write VALUE, in hex, to a register of config space, which\n"
		"is named as for config read. With MASK, the bits that are not in it stay as\n"
		"they are read. Whoever else has claimed the device sees the change: with a\n"
		"virtual machine that drives it, this is dangerous. The device is reset when its\n"
		"last client lets go: without another one, when this command ends, which may\n"
		"undo the change.\n",
	.examples = "dextctl config write 01:00.0 INTERRUPT_LINE b\n"
		    "dextctl config write 01:00.0 COMMAND 4:4\n",
	.run = config_write,
};

/* --- config dump: as lspci -xxxx prints it -------------------------------------- */

/*
 * The host keeps the addresses of BARs to itself, so that a 32-bit BAR that is not
 * prefetchable reads as 0, as one that is not there does, and lspci -F leaves it out. In the
 * text it gets an address that such a BAR could have, and a line, which lspci skips, says so.
 */
static void place_bars(const struct view *view, uint8_t config[DEXT_CONFIG_SIZE])
{
	uint64_t end = 1;

	for (unsigned i = 0; i < DEXT_BARS; i++) {
		const struct view_bar *bar = &view->bars[i];
		size_t at = PCI_BASE_ADDRESS_0 + 4 * i;
		uint64_t address;

		/* The size is the driver's word. */
		if (!bar->present || bar->type || config_get32(config, at) || bar->size < 16 ||
			bar->size > UINT32_MAX || bar->size & (bar->size - 1))
			continue;
		address = (end + bar->size - 1) & ~(bar->size - 1);
		end = address + bar->size;
		if (end > UINT64_C(1) << 32)
			return;
		for (unsigned byte = 0; byte < 4; byte++)
			config[at + byte] = (uint8_t)(address >> 8 * byte);
		printf("\tRegion %u: %08x is a placeholder for its address, which the host keeps\n",
			i, (unsigned)address);
	}
}

/* The form that lspci -F reads: the title, then lines of 16 bytes, then an empty one. */
static void print_text(const struct view *view, struct names *names)
{
	char *title = view_title(view, names);
	uint8_t config[DEXT_CONFIG_SIZE];

	puts(title);
	free(title);
	memcpy(config, view->config, sizeof(config));
	place_bars(view, config);
	for (size_t offset = 0; offset < view->config_size; offset++) {
		if (offset % 16 == 0)
			printf("%02zx:", offset);
		printf(" %02x%s", config[offset], offset % 16 == 15 ? "\n" : "");
	}
	putchar('\n');
}

static void print_json(const struct view *view)
{
	struct json_object *object = json_new_object();
	char address[PCI_ADDRESS_SIZE], bytes[2 * DEXT_CONFIG_SIZE + 1] = "";

	for (size_t i = 0; i < view->config_size; i++)
		snprintf(bytes + 2 * i, 3, "%02x", view->config[i]);
	view_address(view, address);
	json_put_text(object, "address", address);
	json_put_number(object, "size", view->config_size);
	json_put_text(object, "bytes", bytes);
	json_print(object);
}

static void print(const struct view *view, struct names *names, bool json)
{
	if (json)
		print_json(view);
	else
		print_text(view, names);
}

static enum ctl_exit config_dump(const struct ctl_options *options, char **arguments)
{
	return ctl_look(options, arguments[0], "config space: not read", print);
}

const struct ctl_command ctl_config_dump = {
	.name = "config dump",
	.arguments = "ADDR",
	.min_arguments = 1,
	.max_arguments = 1,
	.summary = "print config space, for lspci -F too",
	.help = "Print config space in the form of lspci -xxxx, which lspci -F reads: 4096\n"
		"bytes of a PCI Express device, 256 of another. BARs show their type bits\n"
		"alone, since the host owns the addresses. One that would be all zero, and that\n"
		"lspci would not show, gets a placeholder, and a line that says so; the bytes of\n"
		"--json have none.\n",
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

static void print_access_json(const struct access *access)
{
	struct json_object *object = access_json(access);

	json_put_hex(object, "value", (int)access->width * 2, access->value);
	json_print(object);
}

void access_print(const struct access *access, const struct ctl_options *options)
{
	if (options->json)
		print_access_json(access);
	else
		printf("0x%0*llx%s%s\n", (int)access->width * 2, (unsigned long long)access->value,
			access->name[0] ? "  " : "", access->name);
}

void access_print_written(const struct access *access, const struct ctl_options *options)
{
	if (options->json)
		print_access_json(access);
}
