/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl list: the devices of the driver service, one a line; info: one of them in full. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/view.h"

#include <stdlib.h>
#include <string.h>

/*
 * A device that cannot be opened or goes meanwhile is listed all the same, with
 * what its identity tells.
 */
static void look(const AppleDextDevice *device, struct view *view)
{
	const AppleDextIdentity *identity = &device->identity;
	io_connect_t connection = apple_dext_connect_with_root(
		device->root, identity->bus, identity->device, identity->function);

	*view = (struct view){ .identity = *identity };
	memcpy(view->root, device->root, sizeof(view->root) - 1);
	if (connection == IO_OBJECT_NULL)
		return;
	(void)view_read(connection, VIEW_BRIEF, view);
	apple_dext_disconnect(connection);
}

static void add_row(struct cli_table *table, const struct view *view, struct names *names)
{
	struct view_interrupts interrupts = view_interrupts(view);
	char address[PCI_ADDRESS_SIZE], id[sizeof("ffff:ffff")], irq[32] = "unknown";
	char class_name[NAME_SIZE], device_name[NAME_SIZE];
	const AppleDextIdentity *identity = &view->identity;

	view_address(view, address);
	snprintf(id, sizeof(id), "%04x:%04x", identity->vendor_id, identity->device_id);
	if (interrupts.known && interrupts.kind == DEXT_INTERRUPT_NONE)
		snprintf(irq, sizeof(irq), "none");
	else if (interrupts.known)
		snprintf(irq, sizeof(irq), "%s %u", view_interrupt_name(interrupts.kind),
			interrupts.vectors);
	cli_table_add(table, (const char *[]){ address, id, view_claim(view), irq,
				     names_class(names, identity->class_code, class_name),
				     names_device(names, identity->vendor_id, identity->device_id,
					     device_name) });
}

static void print_table(
	const AppleDextDevice *devices, size_t count, struct view *view, struct names *names)
{
	static const char *const heads[] = { "ADDRESS", "ID", "CLAIM", "INTERRUPTS", "CLASS",
		"DEVICE" };
	struct cli_table table = CLI_TABLE(heads);

	for (size_t i = 0; i < count; i++) {
		look(&devices[i], view);
		add_row(&table, view, names);
	}
	cli_table_print(&table, stdout);
	cli_table_free(&table);
}

static void print_json(
	const AppleDextDevice *devices, size_t count, struct view *view, struct names *names)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < count; i++) {
		look(&devices[i], view);
		json_add(array, view_json(view, names, VIEW_BRIEF));
	}
	json_print(array);
}

static enum ctl_exit list(const struct ctl_options *options, char **arguments)
{
	AppleDextDevice *devices;
	struct names *names;
	struct view *view;
	kern_return_t result;
	size_t count;

	(void)arguments;
	if (options->host)
		return ctl_list_host(options);
	if (!ctl_service_answers())
		return CTL_FAILED;
	result = apple_dext_copy_bound_devices(&devices, &count);
	if (result != kIOReturnSuccess) {
		cli_error("the devices cannot be listed: %s",
			*apple_dext_last_error() ? apple_dext_last_error() : ctl_explain(result));
		return CTL_FAILED;
	}
	names = names_open(options->numeric);
	view = cli_allocate(sizeof(*view));
	(options->json ? print_json : print_table)(devices, count, view, names);
	free(view);
	names_close(names);
	apple_dext_free_bound_devices(devices);
	return CTL_OK;
}

const struct ctl_command ctl_list = {
	.name = "list",
	.arguments = "",
	.options = CTL_TAKES_HOST,
	.summary = "list the devices",
	.help = "List the devices of the driver service, one a line: the address (with the PCI\n"
		"root, where the device names one), vendor and device id, who has claimed it\n"
		"(free, claimed, exclusive, or unknown), the kind and number of its interrupt\n"
		"vectors, class and name. With --host, the PCI devices of this host: their\n"
		"IOMMU group and driver, and whether dextd could take them, or why not.\n",
	.examples = "dextctl list\n"
		    "dextctl list --host\n"
		    "dextctl list -n\n"
		    "dextctl list --json | jq -r '.[] | select(.interrupts.vectors > 1).address'\n",
	.run = list,
};

/* --- One device ----------------------------------------------------------------- */

enum ctl_exit ctl_look(const struct ctl_options *options, const char *address,
	const char *otherwise,
	void (*print)(const struct view *view, struct names *names, bool json))
{
	struct ctl_device device;
	enum ctl_exit status = ctl_open(address, &device);
	struct names *names;
	kern_return_t result;
	struct view *view;

	if (status != CTL_OK)
		return status;
	view = cli_allocate(sizeof(*view));
	view->identity = device.identity;
	memcpy(view->root, device.root, sizeof(view->root));
	result = view_read(device.connection, VIEW_WHOLE, view);
	if (result == kIOReturnSuccess) {
		names = names_open(options->numeric);
		print(view, names, options->json);
		names_close(names);
	} else {
		status = ctl_fail(&device, result, "%s", otherwise);
	}
	free(view);
	ctl_close(&device);
	return status;
}

static void print(const struct view *view, struct names *names, bool json)
{
	if (json)
		json_print(view_json(view, names, VIEW_WHOLE));
	else
		view_print(view, names, stdout);
}

static enum ctl_exit info(const struct ctl_options *options, char **arguments)
{
	return ctl_look(options, arguments[0], "cannot be looked at", print);
}

const struct ctl_command ctl_info = {
	.name = "info",
	.arguments = "ADDR",
	.min_arguments = 1,
	.max_arguments = 1,
	.summary = "show a device in full",
	.help = "Show a device in full: ids, regions (BARs; the host owns their addresses, so\n"
		"none are shown), interrupts, who uses it, and its capabilities, in the words\n"
		"of lspci. Nothing is claimed, and the device is not disturbed.\n",
	.examples = "dextctl info 01:00.0\n"
		    "dextctl info 01:00.0 --json | jq '.capabilities[].text'\n",
	.run = info,
};
