/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-access.h"
#include "tools/dextctl-json.h"

#include <dext-abi.h>

struct json_object *access_json(const struct access *access)
{
	struct json_object *object = json_new_object();

	json_put_text(object, "address", access->device);
	if (access->bar >= 0)
		json_put_number(object, "bar", (uint64_t)access->bar);
	json_put_number(object, "offset", access->offset);
	json_put_number(object, "width", access->width);
	return object;
}

static void print_json(const struct access *access)
{
	struct json_object *object = access_json(access);

	json_put_hex(object, "value", (int)access->width * 2, access->value);
	json_print(object);
}

void access_print(const struct access *access, const struct ctl_options *options)
{
	if (options->json)
		print_json(access);
	else
		printf("0x%0*llx\n", (int)access->width * 2, (unsigned long long)access->value);
}

void access_print_written(const struct access *access, const struct ctl_options *options)
{
	if (options->json)
		print_json(access);
}

bool bar_parse(const char *text, struct bar *bar)
{
	uint64_t index;
	if (cli_parse_number(text, DEXT_BARS - 1, &index)) {
		cli_error("BAR %s: no such BAR (0 to %u)", text, DEXT_BARS - 1);
		return false;
	}
	*bar = (struct bar){.index = (uint8_t)index};
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

enum ctl_exit bar_find(const struct ctl_device *device, struct bar *bar)
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

void bar_name(const struct bar *bar, char text[BAR_TEXT_SIZE])
{
	snprintf(text, BAR_TEXT_SIZE, "BAR %u", bar->index);
}
