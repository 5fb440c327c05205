/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl/access.h"
#include "tools/dextctl/json.h"

#include <dext-abi.h>

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
		printf("0x%0*llx%s%s\n", (int)access->width * 2, (unsigned long long)access->value,
			access->name[0] ? "  " : "", access->name);
}

void access_print_written(const struct access *access, const struct ctl_options *options)
{
	if (options->json)
		print_json(access);
}
