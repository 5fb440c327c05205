/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl bar read, bar write: one register of a BAR; bar dump: a stretch of them. */
#include "common/number.h"
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"

struct bar {
	uint8_t index, memory_index;
	uint64_t size;
};

#define BAR_TEXT_SIZE sizeof("BAR 255")

/* The number of a BAR; false when it has said what is wrong. */
static bool parse_bar(const char *text, struct bar *bar)
{
	uint64_t index;
	if (number_parse(text, DEXT_BARS - 1, &index)) {
		cli_error("BAR %s: no such BAR (0 to %u)", text, DEXT_BARS - 1);
		return false;
	}
	*bar = (struct bar){ .index = (uint8_t)index };
	return true;
}

static void say_no_such_bar(const struct ctl_device *device, unsigned index)
{
	char list[DEXT_BARS * 3 + 1] = "";
	size_t used = 0;

	for (uint8_t i = 0; i < DEXT_BARS; i++)
		if (apple_dext_get_bar_info(device->connection, i, NULL, NULL, NULL) ==
			kIOReturnSuccess)
			used += (size_t)snprintf(
				list + used, sizeof(list) - used, "%s%u", used ? ", " : "", i & 7u);
	if (used)
		cli_error("%s: BAR %u: no such BAR (there are: %s)", device->name, index, list);
	else
		cli_error("%s: BAR %u: no such BAR (the device has none)", device->name, index);
}

/* Fill in the rest. Return: CTL_OK; CTL_FAILED when it has said why not. */
static enum ctl_exit find_bar(const struct ctl_device *device, struct bar *bar)
{
	kern_return_t result = apple_dext_get_bar_info(
		device->connection, bar->index, &bar->memory_index, &bar->size, NULL);

	if (result == kIOReturnSuccess)
		return CTL_OK;
	if (result != kIOReturnNotFound)
		return ctl_fail(device, result, "BAR %u", bar->index);
	say_no_such_bar(device, bar->index);
	return CTL_FAILED;
}

static void name_bar(const struct bar *bar, char text[BAR_TEXT_SIZE])
{
	snprintf(text, BAR_TEXT_SIZE, "BAR %u", bar->index);
}

/* What both begin with: the arguments before the device. */
static bool parse(
	const struct ctl_options *options, char **arguments, struct bar *bar, struct access *access)
{
	*access = (struct access){ .width = options->width ? options->width : 4 };
	if (!ctl_check_width(access->width, 8) || !parse_bar(arguments[1], bar) ||
		!ctl_hex("OFFSET", arguments[2], &access->offset))
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
	name_bar(bar, name);
	status = find_bar(device, bar);
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
	result = apple_dext_mmio_read(
		device.connection, bar.memory_index, access.offset, access.width, &access.value);
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
		!ctl_hex("VALUE", arguments[3], &access.value) ||
		!ctl_check_value(access.value, access.width))
		return CTL_USAGE;
	status = open_bar(arguments[0], &device, &bar, &access, CTL_TO_WRITE);
	if (status != CTL_OK)
		return status;
	result = apple_dext_mmio_write(
		device.connection, bar.memory_index, access.offset, access.width, access.value);
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
	.help = "Claim the device, read 1, 2, 4 or 8 bytes of BAR (0 to 5) at OFFSET (hex, a\n"
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
	.help = "Claim the device and write VALUE, of 1, 2, 4 or 8 bytes, to BAR at OFFSET, both\n"
		"in hex.\n"
		"Whoever else has claimed the device sees the change: with a virtual machine\n"
		"that drives it, this is dangerous. The device is reset when its last client\n"
		"lets go: without another one, when this command ends, which may undo the\n"
		"change.\n",
	.examples = "dextctl bar write 01:00.0 0 0x14 0\n",
	.run = bar_write,
};

/* --- bar dump ------------------------------------------------------------------- */

#define LENGTH_UNLESS_GIVEN 256u
#define LINE		    16u

struct dump {
	struct bar bar;
	struct access access; /* the register that is next */
	uint64_t length;      /* 0 until it is known */
};

static bool parse_dump(const struct ctl_options *options, char **arguments, struct dump *dump)
{
	const char *offset = arguments[2], *length = offset ? arguments[3] : NULL;

	*dump = (struct dump){ .access.width = options->width ? options->width : 4 };
	if (!ctl_check_width(dump->access.width, 8) || !parse_bar(arguments[1], &dump->bar) ||
		(offset && !ctl_hex("OFFSET", offset, &dump->access.offset)) ||
		(length && !ctl_number("LENGTH", length, UINT64_MAX, &dump->length)))
		return false;
	if (dump->length % dump->access.width || (length && !dump->length)) {
		cli_error("LENGTH %s: expected a multiple of the width, %llu, and not 0", length,
			(unsigned long long)dump->access.width);
		return false;
	}
	dump->access.bar = dump->bar.index;
	return true;
}

/* Whether the stretch is in the BAR; without a length it ends with the BAR at the latest. */
static bool fit(struct dump *dump)
{
	uint64_t offset = dump->access.offset, size = dump->bar.size;
	char name[BAR_TEXT_SIZE];

	name_bar(&dump->bar, name);
	if (!ctl_check_access(name, offset, dump->access.width, size))
		return false;
	if (!dump->length)
		dump->length =
			size - offset < LENGTH_UNLESS_GIVEN ? size - offset : LENGTH_UNLESS_GIVEN;
	if (dump->length <= size - offset)
		return true;
	cli_error("%s, offset 0x%llx, length 0x%llx: past the end (its size is 0x%llx)", name,
		(unsigned long long)offset, (unsigned long long)dump->length,
		(unsigned long long)size);
	return false;
}

static void put_value(const struct access *access, uint64_t begin, struct json_object *values)
{
	uint64_t at = access->offset - begin;

	if (values) {
		json_add_hex(values, (int)access->width * 2, access->value);
		return;
	}
	if (at % LINE == 0)
		printf("%s%08llx:", at ? "\n" : "", (unsigned long long)access->offset);
	printf(" %0*llx", (int)access->width * 2, (unsigned long long)access->value);
}

/* Into @values, or without them as text on the way. */
static enum ctl_exit read_all(
	const struct ctl_device *device, struct dump *dump, struct json_object *values)
{
	uint64_t begin = dump->access.offset, end = begin + dump->length;
	struct access *access = &dump->access;
	kern_return_t result = kIOReturnSuccess;

	for (; access->offset < end; access->offset += access->width) {
		result = apple_dext_mmio_read(device->connection, dump->bar.memory_index,
			access->offset, access->width, &access->value);
		if (result != kIOReturnSuccess)
			break;
		put_value(access, begin, values);
	}
	if (!values && access->offset != begin)
		putchar('\n');
	if (result == kIOReturnSuccess)
		return CTL_OK;
	return ctl_fail(device, result, "BAR %u, offset 0x%llx: not read", dump->bar.index,
		(unsigned long long)access->offset);
}

static enum ctl_exit print_dump(const struct ctl_device *device, struct dump *dump, bool json)
{
	struct json_object *object;
	enum ctl_exit status;

	if (!json)
		return read_all(device, dump, NULL);
	object = access_json(&dump->access);
	status = read_all(device, dump, json_put_array(object, "values"));
	if (status == CTL_OK)
		json_print(object);
	else
		json_drop(object);
	return status;
}

static enum ctl_exit bar_dump(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	enum ctl_exit status;
	struct dump dump;

	if (!parse_dump(options, arguments, &dump))
		return CTL_USAGE;
	status = ctl_open(arguments[0], &device);
	if (status != CTL_OK)
		return status;
	dump.access.device = device.name;
	status = find_bar(&device, &dump.bar);
	if (status == CTL_OK && !fit(&dump))
		status = CTL_USAGE;
	if (status == CTL_OK)
		status = ctl_claim(&device, CTL_TO_LOOK);
	if (status == CTL_OK)
		status = print_dump(&device, &dump, options->json);
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_bar_dump = {
	.name = "bar dump",
	.arguments = "ADDR BAR [OFFSET [LENGTH]]",
	.min_arguments = 2,
	.max_arguments = 4,
	.options = CTL_TAKES_WIDTH,
	.summary = "print registers of a BAR",
	.help = "Claim the device and print LENGTH bytes (256 unless given) of BAR from\n"
		"OFFSET (hex, 0 unless given) on, as registers of 1, 2, 4 or 8 bytes, 16 bytes a\n"
		"line. Reading a register may have side effects. The device is reset when its\n"
		"last client lets go: without another one, also here.\n",
	.examples = "dextctl bar dump 01:00.0 0\n"
		    "dextctl bar dump 01:00.0 0 0x1000 64 --width 8\n",
	.run = bar_dump,
};
