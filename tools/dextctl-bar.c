/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl bar read, bar write: one register of a BAR. */
#include "tools/dextctl-access.h"

/* What both begin with: the arguments before the device. */
static bool parse(const struct ctl_options *options, char **arguments, struct bar *bar,
	struct access *access)
{
	*access = (struct access){.width = options->width};
	if (!ctl_check_width(access->width, 8) || !bar_parse(arguments[1], bar) ||
		!ctl_number("OFFSET", arguments[2], UINT64_MAX, &access->offset))
		return false;
	access->bar = bar->index;
	return true;
}

/* Open, find the BAR, check the access against it, claim; on failure nothing is open. */
static enum ctl_exit open_bar(const char *address, struct ctl_device *device, struct bar *bar,
	struct access *access, enum ctl_intent intent)
{
	enum ctl_exit status = ctl_open(address, device);
	char name[BAR_TEXT_SIZE];

	if (status != CTL_OK)
		return status;
	access->device = device->name;
	bar_name(bar, name);
	status = bar_find(device, bar);
	if (status == CTL_OK && !ctl_check_access(name, access->offset, access->width, bar->size))
		status = CTL_USAGE;
	if (status == CTL_OK)
		status = ctl_claim(device, intent);
	if (status != CTL_OK)
		ctl_close(device);
	return status;
}

static enum ctl_exit bar_read(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct access access;
	enum ctl_exit status;
	kern_return_t result;
	struct bar bar;

	if (!parse(options, arguments, &bar, &access))
		return CTL_USAGE;
	status = open_bar(arguments[0], &device, &bar, &access, CTL_TO_LOOK);
	if (status != CTL_OK)
		return status;
	result = apple_dext_mmio_read(device.connection, bar.memory_index, access.offset,
		access.width, &access.value);
	if (result == kIOReturnSuccess)
		access_print(&access, options);
	else
		status = ctl_fail(&device, result, "BAR %u, offset 0x%llx: not read", bar.index,
			(unsigned long long)access.offset);
	ctl_close(&device);
	return status;
}

static enum ctl_exit bar_write(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct access access;
	enum ctl_exit status;
	kern_return_t result;
	struct bar bar;

	if (!parse(options, arguments, &bar, &access) ||
		!ctl_number("VALUE", arguments[3], UINT64_MAX, &access.value) ||
		!ctl_check_value(access.value, access.width))
		return CTL_USAGE;
	status = open_bar(arguments[0], &device, &bar, &access, CTL_TO_WRITE);
	if (status != CTL_OK)
		return status;
	result = apple_dext_mmio_write(device.connection, bar.memory_index, access.offset,
		access.width, access.value);
	if (result == kIOReturnSuccess)
		access_print_written(&access, options);
	else
		status = ctl_fail(&device, result, "BAR %u, offset 0x%llx: not written", bar.index,
			(unsigned long long)access.offset);
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_bar_read = {
	.name = "bar read",
	.arguments = "ADDR BAR OFFSET",
	.min_arguments = 3,
	.max_arguments = 3,
	.options = CTL_TAKES_WIDTH,
	.summary = "read a register of a BAR",
	.help = "Claim the device, read 1, 2, 4 or 8 bytes of BAR (0 to 5) at OFFSET (a\n"
		"multiple of the width) and print their value. A read of a register may have\n"
		"side effects. The device is reset when its last client lets go: without\n"
		"another one, also here.\n",
	.examples = "dextctl bar read 01:00.0 0 0x1c\n"
		    "dextctl bar read 01:00.0 0 0 --width 8\n",
	.run = bar_read,
};

const struct ctl_command ctl_bar_write = {
	.name = "bar write",
	.arguments = "ADDR BAR OFFSET VALUE",
	.min_arguments = 4,
	.max_arguments = 4,
	.options = CTL_TAKES_WIDTH,
	.summary = "write a register of a BAR",
	.help = "Claim the device and write VALUE, of 1, 2, 4 or 8 bytes, to BAR at OFFSET.\n"
		"Whoever else has claimed the device sees the change: with a virtual machine\n"
		"that drives it, this is dangerous. The device is reset when its last client\n"
		"lets go: without another one, when this command ends, which may undo the\n"
		"change.\n",
	.examples = "dextctl bar write 01:00.0 0 0x14 0\n",
	.run = bar_write,
};
