/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl dma: the memory that a device can access: limits, faults, regions of all clients. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"

#include <inttypes.h>
#include <stdlib.h>

struct dma {
	AppleDextDMALimits limits;
	AppleDextStatus use;
	AppleDextRegionInfo *regions;
	AppleDextClientInfo *clients;
	size_t region_count, client_count;
};

static enum ctl_exit read_dma(const struct ctl_device *device, struct dma *dma)
{
	io_connect_t connection = device->connection;
	const char *what = "limits of DMA";
	kern_return_t status = apple_dext_get_dma_limits(connection, &dma->limits);

	if (status == kIOReturnSuccess) {
		what = "status";
		status = apple_dext_get_status(connection, &dma->use);
	}
	if (status == kIOReturnSuccess) {
		what = "DMA regions";
		status = apple_dext_copy_dma_regions(connection, &dma->regions, &dma->region_count);
	}
	if (status == kIOReturnSuccess) {
		what = "clients";
		status = apple_dext_copy_clients(connection, &dma->clients, &dma->client_count);
	}
	return status == kIOReturnSuccess ? CTL_OK : ctl_fail(device, status, "%s", what);
}

/* The process of a client; 0 if it connected or disconnected between the two calls. */
static int32_t find_pid(const struct dma *dma, uint32_t client)
{
	for (size_t i = 0; i < dma->client_count; i++)
		if (dma->clients[i].client == client)
			return dma->clients[i].pid;
	return 0;
}

static void add_row(
	struct cli_table *table, const struct dma *dma, const AppleDextRegionInfo *region)
{
	char client[16], pid_text[PROCESS_ID_SIZE], name[PROCESS_NAME_SIZE], iova[24], bus[24];
	char size[CLI_SIZE_SIZE], segments[16];
	int32_t pid = find_pid(dma, region->client);
	const char *command = process_name(pid, name);

	snprintf(client, sizeof(client), "%" PRIu32, region->client);
	snprintf(iova, sizeof(iova), "0x%" PRIx64, region->iova);
	snprintf(bus, sizeof(bus), "0x%" PRIx64, region->bus_address);
	snprintf(segments, sizeof(segments), "%" PRIu32, region->segments);
	cli_format_size(region->size, size);
	cli_table_add(table, (const char *[]){ client, process_id(pid, pid_text),
				     command ? command : "-", iova, size, segments, bus });
}

static void print_text(const struct ctl_device *device, const struct dma *dma)
{
	static const char *const heads[] = { "CLIENT", "PID", "COMMAND", "IOVA", "SIZE", "SEGMENTS",
		"BUS ADDRESS" };
	struct cli_table table = CLI_TABLE(heads);
	char text[LIMITS_TEXT_SIZE];

	printf("%s\n\tIOMMU:   %s\n\tMapped:  %s\n", device->name, limits_kind(&dma->limits),
		limits_use(&dma->limits, text));
	if (dma->use.dma_faults == UINT64_MAX)
		puts("\tFaults:  not counted (the kernel's log has them)");
	else
		printf("\tFaults:  %" PRIu64 "\n", dma->use.dma_faults);
	if (!dma->region_count) {
		puts("\tRegions: none");
		return;
	}
	for (size_t i = 0; i < dma->region_count; i++)
		add_row(&table, dma, &dma->regions[i]);
	putchar('\n');
	cli_table_print(&table, stdout);
	cli_table_free(&table);
}

static void print_json(const struct ctl_device *device, const struct dma *dma)
{
	struct json_object *object = json_new_object(), *regions;

	json_put_text(object, "address", device->name);
	limits_put(object, &dma->limits);
	json_put_faults(object, dma->use.dma_faults);
	regions = json_put_array(object, "regions");
	for (size_t i = 0; i < dma->region_count; i++) {
		const AppleDextRegionInfo *region = &dma->regions[i];
		struct json_object *row = json_add_object(regions);
		int32_t pid = find_pid(dma, region->client);
		char name[PROCESS_NAME_SIZE];

		json_put_number(row, "client", region->client);
		json_put_pid(row, "pid", pid);
		json_put_text(row, "command", process_name(pid, name));
		json_put_hex(row, "iova", 16, region->iova);
		json_put_number(row, "size", region->size);
		json_put_number(row, "segments", region->segments);
		json_put_hex(row, "bus_address", 16, region->bus_address);
		json_put_number(row, "bus_length", region->bus_length);
	}
	json_print(object);
}

static enum ctl_exit show_dma(const struct ctl_options *options, char **arguments)
{
	struct dma dma = { .regions = NULL };
	struct ctl_device device;
	enum ctl_exit exit_status = ctl_open(arguments[0], &device);

	if (exit_status != CTL_OK)
		return exit_status;
	exit_status = read_dma(&device, &dma);
	if (exit_status == CTL_OK)
		(options->json ? print_json : print_text)(&device, &dma);
	free(dma.regions);
	free(dma.clients);
	ctl_close(&device);
	return exit_status;
}

const struct ctl_command ctl_dma = {
	.name = "dma",
	.arguments = "ADDR",
	.summary = "show the memory a device can access",
	.help = "Show the memory that a device can access by DMA: the kind of its IOMMU\n"
		"(identity: clients choose bus addresses; dart: the IOMMU does), how much is\n"
		"mapped and can be mapped, the number of accesses to unmapped addresses, and the\n"
		"regions of all clients, with the bus address of their first segment. The device\n"
		"is not claimed.\n",
	.examples = "dextctl dma 01:00.0\n"
		    "dextctl dma 01:00.0 --json | jq '[.regions[].size] | add'\n",
	.run = show_dma,
};
