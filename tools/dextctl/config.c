/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl config read, config write: one register of config space; config dump: all of it. */
#include "tools/dextctl/access.h"
#include "tools/dextctl/json.h"
#include "tools/dextctl/view.h"

#include <dext-abi.h>
#include <stdlib.h>

/* What both begin with: the arguments before the device. */
static bool parse(const struct ctl_options *options, const char *offset, struct access *access)
{
	*access = (struct access){.bar = -1, .width = options->width};
	return ctl_check_width(access->width, 4) &&
		ctl_number("OFFSET", offset, UINT64_MAX, &access->offset) &&
		ctl_check_access("config space", access->offset, access->width, DEXT_CONFIG_SIZE);
}

static enum ctl_exit config_read(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct access access;
	enum ctl_exit status;
	kern_return_t result;

	if (!parse(options, arguments[1], &access))
		return CTL_USAGE;
	status = ctl_open(arguments[0], &device);
	if (status != CTL_OK)
		return status;
	access.device = device.name;
	result = apple_dext_config_read(
		device.connection, access.offset, access.width, &access.value);
	if (result == kIOReturnSuccess)
		access_print(&access, options);
	else
		status = ctl_fail(&device, result, "config space, offset 0x%llx: not read",
			(unsigned long long)access.offset);
	ctl_close(&device);
	return status;
}

static enum ctl_exit claim_and_write(const struct ctl_device *device, const struct access *access)
{
	enum ctl_exit status = ctl_claim(device, CTL_TO_WRITE);
	kern_return_t result;

	if (status != CTL_OK)
		return status;
	result = apple_dext_config_write(
		device->connection, access->offset, access->width, access->value);
	if (result == kIOReturnSuccess)
		return CTL_OK;
	return ctl_fail(device, result, "config space, offset 0x%llx: not written",
		(unsigned long long)access->offset);
}

static enum ctl_exit config_write(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct access access;
	enum ctl_exit status;

	if (!parse(options, arguments[1], &access) ||
		!ctl_number("VALUE", arguments[2], UINT64_MAX, &access.value) ||
		!ctl_check_value(access.value, access.width))
		return CTL_USAGE;
	status = ctl_open(arguments[0], &device);
	if (status != CTL_OK)
		return status;
	access.device = device.name;
	status = claim_and_write(&device, &access);
	if (status == CTL_OK)
		access_print_written(&access, options);
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_config_read = {
	.name = "config read",
	.arguments = "ADDR OFFSET",
	.min_arguments = 2,
	.max_arguments = 2,
	.options = CTL_TAKES_WIDTH,
	.summary = "read a register of config space",
	.help = "Read 1, 2 or 4 bytes of config space at OFFSET (0 to 4095, a multiple of the\n"
		"width) and print their value. BARs show their type bits alone: the host owns\n"
		"the addresses.\n",
	.examples = "dextctl config read 01:00.0 0 --width 2\n"
		    "dextctl config read 01:00.0 0x34 -w 1\n",
	.run = config_read,
};

const struct ctl_command ctl_config_write = {
	.name = "config write",
	.arguments = "ADDR OFFSET VALUE",
	.min_arguments = 3,
	.max_arguments = 3,
	.options = CTL_TAKES_WIDTH,
	.summary = "write a register of config space",
	.help = "Claim the device and write VALUE, of 1, 2 or 4 bytes, to config space at\n"
		"OFFSET. Whoever else has claimed the device sees the change: with a virtual\n"
		"machine that drives it, this is dangerous. The device is reset when its last\n"
		"client lets go: without another one, when this command ends, which may undo\n"
		"the change.\n",
	.examples = "dextctl config write 01:00.0 0x3c 0x0b --width 1\n",
	.run = config_write,
};

/* --- config dump: as lspci -xxxx prints it -------------------------------------- */

/* The form that lspci -F reads: the title, then lines of 16 bytes, then an empty one. */
static void print_text(const struct view *view, struct names *names)
{
	char *title = view_title(view, names);

	puts(title);
	free(title);
	for (size_t offset = 0; offset < view->config_size; offset++) {
		if (offset % 16 == 0)
			printf("%02zx:", offset);
		printf(" %02x%s", view->config[offset], offset % 16 == 15 ? "\n" : "");
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
		"alone: the host owns the addresses.\n",
	.examples = "dextctl config dump 01:00.0\n"
		    "dextctl config dump 01:00.0 >dump && lspci -F dump -vv\n",
	.run = config_dump,
};
