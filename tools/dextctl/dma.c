/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl dma: what a device may reach by DMA: limits, faults, and everybody's regions. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"

#include <inttypes.h>
#include <stdlib.h>

struct dma {
	AppleDextDMALimits limits;
	AppleDextStatus status;
	AppleDextRegionInfo *regions;
	AppleDextClientInfo *clients;
	size_t region_count, client_count;
};

static enum ctl_exit look(const struct ctl_device *device, struct dma *dma)
{
	io_connect_t connection = device->connection;
	const char *what = "limits of DMA";
	kern_return_t result = apple_dext_get_dma_limits(connection, &dma->limits);

	if (result == kIOReturnSuccess) {
		what = "status";
		result = apple_dext_get_status(connection, &dma->status);
	}
	if (result == kIOReturnSuccess) {
		what = "DMA regions";
		result = apple_dext_copy_dma_regions(connection, &dma->regions, &dma->region_count);
	}
	if (result == kIOReturnSuccess) {
		what = "clients";
		result = apple_dext_copy_clients(connection, &dma->clients, &dma->client_count);
	}
	return result == kIOReturnSuccess ? CTL_OK : ctl_fail(device, result, "%s", what);
}

/* The process of a client; 0 where it is not known, as of one that has come or gone meanwhile. */
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

static const char *dma_faults(const struct dma *dma, char text[FAULTS_TEXT_SIZE])
{
	if (dma->status.dma_faults == UINT64_MAX)
		return "not counted (the kernel's log has them)";
	snprintf(text, FAULTS_TEXT_SIZE, "%" PRIu64, dma->status.dma_faults);
	return text;
}

static void print_text(const struct ctl_device *device, const struct dma *dma)
{
	static const char *const heads[] = { "CLIENT", "PID", "COMMAND", "IOVA", "SIZE", "SEGMENTS",
		"BUS ADDRESS" };
	struct cli_table table = CLI_TABLE(heads);
	char text[LIMITS_TEXT_SIZE], faults[FAULTS_TEXT_SIZE];

	printf("%s\n\tIOMMU:   %s\n\tMapped:  %s\n\tFaults:  %s\n", device->name,
		limits_kind(&dma->limits), limits_use(&dma->limits, text), dma_faults(dma, faults));
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

static void add_object(
	struct json_object *array, const struct dma *dma, const AppleDextRegionInfo *region)
{
	struct json_object *object = json_add_object(array);
	int32_t pid = find_pid(dma, region->client);
	char name[PROCESS_NAME_SIZE];

	json_put_number(object, "client", region->client);
	json_put_pid(object, "pid", pid);
	json_put_text(object, "command", process_name(pid, name));
	json_put_hex(object, "iova", 16, region->iova);
	json_put_number(object, "size", region->size);
	json_put_number(object, "segments", region->segments);
	json_put_hex(object, "bus_address", 16, region->bus_address);
	json_put_number(object, "bus_length", region->bus_length);
}

static void print_json(const struct ctl_device *device, const struct dma *dma)
{
	struct json_object *object = json_new_object(), *regions;

	json_put_text(object, "address", device->name);
	limits_put(object, &dma->limits);
	json_put_faults(object, dma->status.dma_faults);
	regions = json_put_array(object, "regions");
	for (size_t i = 0; i < dma->region_count; i++)
		add_object(regions, dma, &dma->regions[i]);
	json_print(object);
}

static enum ctl_exit dma_command(const struct ctl_options *options, char **arguments)
{
	struct dma dma = { .regions = NULL };
	struct ctl_device device;
	enum ctl_exit status = ctl_open(arguments[0], &device);

	if (status != CTL_OK)
		return status;
	status = look(&device, &dma);
	if (status == CTL_OK)
		(options->json ? print_json : print_text)(&device, &dma);
	free(dma.regions);
	free(dma.clients);
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_dma = {
	.name = "dma",
	.arguments = "ADDR",
	.min_arguments = 1,
	.max_arguments = 1,
	.summary = "show what a device may reach by DMA",
	.help = "Show the memory that a device may reach: the kind of its IOMMU (identity:\n"
		"clients choose bus addresses; dart: the IOMMU does), how much is mapped and\n"
		"how much can be, how many accesses met nothing, and the regions of all\n"
		"clients. The bus address is that of a region's first segment. Nothing is\n"
		"claimed.\n",
	.examples = "dextctl dma 01:00.0\n"
		    "dextctl dma 01:00.0 --json | jq '[.regions[].size] | add'\n",
	.run = dma_command,
};
