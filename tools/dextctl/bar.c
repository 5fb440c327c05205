/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl bar read, bar write: one register of a BAR; bar dump: a range of registers. */
#include "common/number.h"
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"

#define DUMP_LENGTH    256u /* the default */
#define BYTES_PER_LINE 16u

/* The arguments of a command, and the index of the BAR for MMIO calls. */
struct request {
	struct access access; /* of a dump: the next register */
	uint8_t memory_index;
	uint64_t length; /* of a dump; 0: not given */
};

static enum ctl_exit report_missing_bar(const struct ctl_device *device, int bar)
{
	char list[DEXT_BARS * 3 + 1] = "";
	size_t used = 0;

	for (uint8_t i = 0; i < DEXT_BARS; i++)
		if (apple_dext_get_bar_info(device->connection, i, NULL, NULL, NULL) ==
			kIOReturnSuccess)
			used += (size_t)snprintf(
				list + used, sizeof(list) - used, "%s%u", used ? ", " : "", i & 7u);
	if (used)
		cli_error("%s: BAR %d: no such BAR (there are: %s)", device->name, bar, list);
	else
		cli_error("%s: BAR %d: no such BAR (the device has none)", device->name, bar);
	return CTL_FAILED;
}

/* The arguments that all commands have: BAR, OFFSET (which may be NULL), --width. */
static bool parse(const struct ctl_options *options, char **arguments, struct request *request)
{
	uint64_t bar;

	*request = (struct request){ .access.width = options->width ? options->width : 4 };
	if (!ctl_check_width(request->access.width, 8))
		return false;
	if (number_parse(arguments[1], DEXT_BARS - 1, &bar)) {
		cli_error("BAR %s: no such BAR (0 to %u)", arguments[1], DEXT_BARS - 1);
		return false;
	}
	request->access.bar = (int)bar;
	return !arguments[2] || ctl_hex("OFFSET", arguments[2], &request->access.offset);
}

/* Check the access against the BAR's size; set the default length of a dump. */
static bool check_range(struct request *request, uint64_t size)
{
	const struct access *access = &request->access;
	char name[sizeof("BAR -2147483648")];
	uint64_t room;

	snprintf(name, sizeof(name), "BAR %d", access->bar);
	if (!ctl_check_access(name, access->offset, access->width, size))
		return false;
	room = size - access->offset;
	if (!request->length)
		request->length = room < DUMP_LENGTH ? room : DUMP_LENGTH;
	if (request->length <= room)
		return true;
	cli_error("%s, offset 0x%llx, length 0x%llx: past the end (its size is 0x%llx)", name,
		(unsigned long long)access->offset, (unsigned long long)request->length,
		(unsigned long long)size);
	return false;
}

/* Open and claim the device; check the access. On an error nothing is open. */
static enum ctl_exit open_bar(const char *address, struct ctl_device *device,
	struct request *request, enum ctl_intent intent)
{
	struct access *access = &request->access;
	enum ctl_exit exit_status = ctl_open(address, device);
	kern_return_t status;
	uint64_t size = 0;

	if (exit_status != CTL_OK)
		return exit_status;
	access->device = device->name;
	status = apple_dext_get_bar_info(
		device->connection, (uint8_t)access->bar, &request->memory_index, &size, NULL);
	if (status == kIOReturnNotFound)
		exit_status = report_missing_bar(device, access->bar);
	else if (status != kIOReturnSuccess)
		exit_status = ctl_fail(device, status, "BAR %d", access->bar);
	else if (!check_range(request, size))
		exit_status = CTL_USAGE;
	else
		exit_status = ctl_claim(device, intent);
	if (exit_status != CTL_OK)
		ctl_close(device);
	return exit_status;
}

static enum ctl_exit fail(const struct ctl_device *device, const struct access *access,
	kern_return_t status, const char *what)
{
	return ctl_fail(device, status, "BAR %d, offset 0x%llx: not %s", access->bar,
		(unsigned long long)access->offset, what);
}

static enum ctl_exit bar_read(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	enum ctl_exit exit_status;
	struct request request;
	struct access *access = &request.access;
	kern_return_t status;

	if (!parse(options, arguments, &request))
		return CTL_USAGE;
	exit_status = open_bar(arguments[0], &device, &request, CTL_TO_READ);
	if (exit_status != CTL_OK)
		return exit_status;
	status = apple_dext_mmio_read(device.connection, request.memory_index, access->offset,
		access->width, &access->value);
	if (status == kIOReturnSuccess)
		access_print(access, options);
	else
		exit_status = fail(&device, access, status, "read");
	ctl_close(&device);
	return exit_status;
}

static enum ctl_exit bar_write(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	enum ctl_exit exit_status;
	struct request request;
	struct access *access = &request.access;
	kern_return_t status;

	if (!parse(options, arguments, &request) ||
		!ctl_hex("VALUE", arguments[3], &access->value) ||
		!ctl_check_value(access->value, access->width))
		return CTL_USAGE;
	exit_status = open_bar(arguments[0], &device, &request, CTL_TO_WRITE);
	if (exit_status != CTL_OK)
		return exit_status;
	status = apple_dext_mmio_write(device.connection, request.memory_index, access->offset,
		access->width, access->value);
	if (status == kIOReturnSuccess)
		access_print_written(access, options);
	else
		exit_status = fail(&device, access, status, "written");
	ctl_close(&device);
	return exit_status;
}

/* Read all registers into @values, or print them if it is NULL. */
static enum ctl_exit read_range(
	const struct ctl_device *device, struct request *request, struct json_object *values)
{
	struct access *access = &request->access;
	uint64_t begin = access->offset, end = begin + request->length;
	kern_return_t status = kIOReturnSuccess;
	int digits = (int)access->width * 2;

	for (; access->offset < end; access->offset += access->width) {
		uint64_t done = access->offset - begin;

		status = apple_dext_mmio_read(device->connection, request->memory_index,
			access->offset, access->width, &access->value);
		if (status != kIOReturnSuccess)
			break;
		if (values) {
			json_add_hex(values, digits, access->value);
			continue;
		}
		if (done % BYTES_PER_LINE == 0)
			printf("%s%08llx:", done ? "\n" : "", (unsigned long long)access->offset);
		printf(" %0*llx", digits, (unsigned long long)access->value);
	}
	if (!values && access->offset != begin)
		putchar('\n');
	return status == kIOReturnSuccess ? CTL_OK : fail(device, access, status, "read");
}

static enum ctl_exit bar_dump(const struct ctl_options *options, char **arguments)
{
	const char *length = arguments[2] ? arguments[3] : NULL;
	struct json_object *object = NULL;
	struct ctl_device device;
	enum ctl_exit exit_status;
	struct request request;
	uint64_t width;

	if (!parse(options, arguments, &request) ||
		(length && !ctl_number("LENGTH", length, UINT64_MAX, &request.length)))
		return CTL_USAGE;
	width = request.access.width;
	if (request.length % width || (length && !request.length)) {
		cli_error("LENGTH %s: expected a multiple of the width, %llu, and not 0", length,
			(unsigned long long)width);
		return CTL_USAGE;
	}
	exit_status = open_bar(arguments[0], &device, &request, CTL_TO_READ);
	if (exit_status != CTL_OK)
		return exit_status;
	if (options->json)
		object = access_json(&request.access);
	exit_status =
		read_range(&device, &request, object ? json_put_array(object, "values") : NULL);
	if (object && exit_status == CTL_OK)
		json_print(object);
	else
		json_drop(object);
	ctl_close(&device);
	return exit_status;
}

const struct ctl_command ctl_bar_read = {
	.name = "bar read",
	.arguments = "ADDR BAR OFFSET",
	.options = CTL_TAKES_WIDTH,
	.summary = "read a register of a BAR",
	.help = "Claim the device, read 1, 2, 4 or 8 bytes of BAR (0 to 5) at OFFSET (hex, a\n"
		"multiple of the width) and print their value. Reading a register may have side\n"
		"effects. The device is reset when its last claim ends: without another client,\n"
		"when this command ends.\n",
	.examples = "dextctl bar read 01:00.0 0 0x1c\n"
		    "dextctl bar read 01:00.0 0 0 --width 8\n",
	.run = bar_read,
};

const struct ctl_command ctl_bar_write = {
	.name = "bar write",
	.arguments = "ADDR BAR OFFSET VALUE",
	.options = CTL_TAKES_WIDTH,
	.summary = "write a register of a BAR",
	.help = "Claim the device and write VALUE, of 1, 2, 4 or 8 bytes, to BAR at OFFSET, both\n"
		"in hex. Other clients that have claimed the device see the change: this is\n"
		"dangerous to a virtual machine that drives it. The device is reset when its last\n"
		"claim ends: without another client, when this command ends, which may undo the\n"
		"change.\n",
	.examples = "dextctl bar write 01:00.0 0 0x14 0\n",
	.run = bar_write,
};

const struct ctl_command ctl_bar_dump = {
	.name = "bar dump",
	.arguments = "ADDR BAR [OFFSET [LENGTH]]",
	.options = CTL_TAKES_WIDTH,
	.summary = "print registers of a BAR",
	.help = "Claim the device and print LENGTH bytes (default: 256) of BAR from OFFSET (hex,\n"
		"default: 0), as registers of 1, 2, 4 or 8 bytes, 16 bytes per line. Reading a\n"
		"register may have side effects. The device is reset when its last claim ends:\n"
		"without another client, when this command ends.\n",
	.examples = "dextctl bar dump 01:00.0 0\n"
		    "dextctl bar dump 01:00.0 0 0x1000 64 --width 8\n",
	.run = bar_dump,
};
