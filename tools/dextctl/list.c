/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl list: the devices of the driver service, one per line; info: everything about one. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/view.h"

#include <stdlib.h>
#include <string.h>

/* A device that cannot be opened, or is removed meanwhile, is listed with its identity only. */
static void read_brief(const AppleDextDevice *device, struct view *view)
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

static void print_list(const AppleDextDevice *devices, size_t count, struct names *names, bool json)
{
	static const char *const heads[] = { "ADDRESS", "ID", "CLAIM", "INTERRUPTS", "CLASS",
		"DEVICE" };
	struct cli_table table = CLI_TABLE(heads);
	struct json_object *array = json ? json_new_array() : NULL;
	struct view *view = cli_allocate(sizeof(*view));

	for (size_t i = 0; i < count; i++) {
		read_brief(&devices[i], view);
		if (json)
			json_add(array, view_json(view, names, VIEW_BRIEF));
		else
			add_row(&table, view, names);
	}
	if (json)
		json_print(array);
	else
		cli_table_print(&table, stdout);
	cli_table_free(&table);
	free(view);
}

static enum ctl_exit list(const struct ctl_options *options, char **arguments)
{
	AppleDextDevice *devices;
	struct names *names;
	kern_return_t status;
	size_t count;

	(void)arguments;
	if (options->host)
		return ctl_list_host(options);
	if (!ctl_service_answers())
		return CTL_FAILED;
	status = apple_dext_copy_bound_devices(&devices, &count);
	if (status != kIOReturnSuccess) {
		cli_error("the devices cannot be listed: %s", *apple_dext_last_error() ?
								      apple_dext_last_error() :
								      ctl_status_text(status));
		return CTL_FAILED;
	}
	names = names_open(options->numeric);
	print_list(devices, count, names, options->json);
	names_close(names);
	apple_dext_free_bound_devices(devices);
	return CTL_OK;
}

const struct ctl_command ctl_list = {
	.name = "list",
	.arguments = "",
	.options = CTL_TAKES_HOST,
	.summary = "list the devices",
	.help = "List the devices of the driver service, one per line: address (with the PCI root\n"
		"of a device that has one), vendor and device id, claim (free, claimed,\n"
		"exclusive, or unknown), kind and number of interrupt vectors, class and name.\n"
		"With --host, list the PCI devices of this host: IOMMU group, driver, and whether\n"
		"dextd can use the device or why it cannot.\n",
	.examples = "dextctl list\n"
		    "dextctl list --host\n"
		    "dextctl list -n\n"
		    "dextctl list --json | jq -r '.[] | select(.interrupts.vectors > 1).address'\n",
	.run = list,
};

/* --- One device ----------------------------------------------------------------- */

enum ctl_exit view_show(const struct ctl_options *options, const char *address,
	void (*print)(const struct view *view, struct names *names, bool json))
{
	struct ctl_device device;
	enum ctl_exit exit_status = ctl_open(address, &device);
	struct names *names;
	kern_return_t status;
	struct view *view;

	if (exit_status != CTL_OK)
		return exit_status;
	view = cli_allocate(sizeof(*view));
	view->identity = device.identity;
	memcpy(view->root, device.root, sizeof(view->root));
	status = view_read(device.connection, VIEW_WHOLE, view);
	if (status == kIOReturnSuccess) {
		names = names_open(options->numeric);
		print(view, names, options->json);
		names_close(names);
	} else {
		exit_status = ctl_fail(&device, status, "cannot be read");
	}
	free(view);
	ctl_close(&device);
	return exit_status;
}

static void print_info(const struct view *view, struct names *names, bool json)
{
	if (json)
		json_print(view_json(view, names, VIEW_WHOLE));
	else
		view_print(view, names, stdout);
}

static enum ctl_exit info(const struct ctl_options *options, char **arguments)
{
	return view_show(options, arguments[0], print_info);
}

const struct ctl_command ctl_info = {
	.name = "info",
	.arguments = "ADDR",
	.summary = "show everything about a device",
	.help = "Show everything about a device, as lspci writes it: ids, regions (BARs; without\n"
		"addresses, which the host owns), interrupts, its use by clients, and its\n"
		"capabilities. PM, MSI, MSI-X, Express and AF are decoded; for the others use\n"
		"config dump and lspci -F. The device is not claimed.\n",
	.examples = "dextctl info 01:00.0\n"
		    "dextctl info 01:00.0 --json | jq '.capabilities[].text'\n",
	.run = info,
};
