/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl bar dump: a stretch of a BAR, register by register. */
#include "tools/dextctl-access.h"
#include "tools/dextctl-json.h"

#define LENGTH_UNLESS_GIVEN 256u
#define LINE		    16u

struct dump {
	struct bar bar;
	struct access access;	/* the register that is next */
	uint64_t length;	/* 0 until it is known */
};

static bool parse(const struct ctl_options *options, char **arguments, struct dump *dump)
{
	const char *offset = arguments[2], *length = offset ? arguments[3] : NULL;

	*dump = (struct dump){.access.width = options->width};
	if (!ctl_check_width(dump->access.width, 8) || !bar_parse(arguments[1], &dump->bar) ||
		(offset && !ctl_number("OFFSET", offset, UINT64_MAX, &dump->access.offset)) ||
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

	bar_name(&dump->bar, name);
	if (!ctl_check_access(name, offset, dump->access.width, size))
		return false;
	if (!dump->length)
		dump->length = size - offset < LENGTH_UNLESS_GIVEN ? size - offset
								   : LENGTH_UNLESS_GIVEN;
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

static enum ctl_exit print(const struct ctl_device *device, struct dump *dump, bool json)
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

	if (!parse(options, arguments, &dump))
		return CTL_USAGE;
	status = ctl_open(arguments[0], &device);
	if (status != CTL_OK)
		return status;
	dump.access.device = device.name;
	status = bar_find(&device, &dump.bar);
	if (status == CTL_OK && !fit(&dump))
		status = CTL_USAGE;
	if (status == CTL_OK)
		status = ctl_claim(&device, CTL_TO_LOOK);
	if (status == CTL_OK)
		status = print(&device, &dump, options->json);
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
		"OFFSET (0 unless given) on, as registers of 1, 2, 4 or 8 bytes, 16 bytes a\n"
		"line. Reading a register may have side effects. The device is reset when its\n"
		"last client lets go: without another one, also here.\n",
	.examples = "dextctl bar dump 01:00.0 0\n"
		    "dextctl bar dump 01:00.0 0 0x1000 64 --width 8\n",
	.run = bar_dump,
};
