/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl config dump: all of config space, as lspci -xxxx prints it. */
#include "tools/dextctl-json.h"
#include "tools/dextctl-look.h"

#include <stdlib.h>

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
	char address[ADDRESS_SIZE], bytes[2 * DEXT_CONFIG_SIZE + 1] = "";

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
