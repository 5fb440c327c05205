/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dextctl bind, unbind: bind a device of this host to vfio-pci, and to its former driver again;
 * list --host. The kernel's interface is driver_override and drivers_probe (sysfs-bus-pci).
 */
#include "common/host-pci.h"
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One file for each bound device, with the name of its former driver, until the next boot. */
#define STATE_FOLDER "dextpci-bind" /* in /run */

/* Write @text to a file of sysfs. Return: false with an error, which begins with @what. */
static bool sysfs_write(const char *address, const char *what, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written = fd < 0 ? -1 : write(fd, text, strlen(text));
	int code = errno;

	if (fd >= 0)
		close(fd);
	if (written >= 0)
		return true;
	cli_error("%s: %s: %s (%s)", address, what, strerror(code), path);
	return false;
}

static bool device_write(
	const struct host_pci *device, const char *what, const char *file, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", host_pci_paths.sys,
		device->address, file);
	return sysfs_write(device->address, what, path, text);
}

/* Unbind the device from its driver, and let the kernel probe for another one. */
static bool change_driver(const struct host_pci *device, const char *override)
{
	char path[PATH_MAX];

	if (!device_write(device, "its driver cannot be selected", "driver_override", override))
		return false;
	if (*device->driver && !device_write(device, "it cannot be unbound from its driver",
				       "driver/unbind", device->address))
		return false;
	snprintf(path, sizeof(path), "%s/bus/pci/drivers_probe", host_pci_paths.sys);
	return sysfs_write(device->address, "no driver can be probed", path, device->address);
}

static void store_driver(const struct host_pci *device)
{
	char path[PATH_MAX];
	FILE *file;

	if (!*device->driver)
		return;
	snprintf(path, sizeof(path), "%s/" STATE_FOLDER, host_pci_paths.run);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/" STATE_FOLDER "/%s", host_pci_paths.run, device->address);
	file = fopen(path, "we");
	if (!file)
		return; /* then the kernel selects a driver at unbind */
	fprintf(file, "%s\n", device->driver);
	fclose(file);
}

/* Set @driver to the former driver; to "" if it is not known. */
static void load_driver(const struct host_pci *device, char *driver, size_t size)
{
	char path[PATH_MAX];
	FILE *file;

	driver[0] = '\0';
	snprintf(path, sizeof(path), "%s/" STATE_FOLDER "/%s", host_pci_paths.run, device->address);
	file = fopen(path, "re");
	if (!file)
		return;
	if (!fgets(driver, (int)size, file))
		driver[0] = '\0';
	driver[strcspn(driver, "\n")] = '\0';
	fclose(file);
}

static void forget_driver(const struct host_pci *device)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" STATE_FOLDER "/%s", host_pci_paths.run, device->address);
	unlink(path);
}

static bool bind_to(const struct host_pci *device, const char *driver)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/pci/drivers/%s/bind", host_pci_paths.sys, driver);
	return sysfs_write(
		device->address, "its former driver does not bind it", path, device->address);
}

/*
 * Bind to a driver of the host: the one that the kernel selects, else the former one. Its name
 * stays stored until that has succeeded. @device is read again. Return: false with an error.
 */
static bool restore_driver(struct host_pci *device)
{
	char before[64];

	load_driver(device, before, sizeof(before));
	if (!change_driver(device, "\n"))
		return false;
	host_pci_read(&host_pci_paths, device->address, device);
	if (*before && !*device->driver && !bind_to(device, before))
		return false;
	host_pci_read(&host_pci_paths, device->address, device);
	forget_driver(device);
	return true;
}

static enum ctl_exit find(const char *text, struct host_pci *device)
{
	char address[HOST_PCI_ADDRESS_SIZE];

	if (!host_pci_address(text, address)) {
		cli_error("%s: expected a PCI address of this host, as lspci prints it", text);
		return CTL_USAGE;
	}
	if (!host_pci_read(&host_pci_paths, address, device)) {
		cli_error("%s: no such device on this host (dextctl list --host)", address);
		return CTL_FAILED;
	}
	if (host_pci_is_bridge(device)) {
		cli_error(
			"%s: a bridge: only the devices behind it can be passed through", address);
		return CTL_FAILED;
	}
	return CTL_OK;
}

/* Print the members of the IOMMU group. Return: false with an error if the host uses one. */
static bool show_group(const struct host_pci *device)
{
	struct host_pci *members;
	size_t count;
	bool available = true;
	char why[400];

	if (!host_pci_list(&host_pci_paths, device->group, &members, &count))
		return true;
	printf("IOMMU group %d:\n", device->group);
	for (size_t i = 0; i < count; i++) {
		bool used = host_pci_in_use(&host_pci_paths, &members[i], why, sizeof(why));

		printf("  %s %04x:%04x %s%s%s\n", members[i].address, members[i].vendor_id,
			members[i].device_id,
			host_pci_is_bridge(&members[i]) ? "bridge" :
			*members[i].driver		? members[i].driver :
							  "no driver",
			used ? ", in use: " : "", used ? why : "");
		if (!used)
			continue;
		cli_error("%s: %s of its IOMMU group is in use by the host: %s", device->address,
			members[i].address, why);
		available = false;
	}
	free(members);
	return available;
}

static enum ctl_exit bind_device(const struct ctl_options *options, char **arguments)
{
	struct host_pci device;
	enum ctl_exit exit_status = find(arguments[0], &device);
	char path[PATH_MAX];

	(void)options;
	if (exit_status != CTL_OK)
		return exit_status;
	if (device.group < 0) {
		cli_error("%s: it has no IOMMU: enable it in the firmware's setup and boot with "
			  "intel_iommu=on",
			device.address);
		return CTL_FAILED;
	}
	if (!show_group(&device))
		return CTL_FAILED;
	if (strcmp(device.driver, "vfio-pci") == 0) {
		printf("%s: bound to vfio-pci already\n", device.address);
		return CTL_OK;
	}
	snprintf(path, sizeof(path), "%s/bus/pci/drivers/vfio-pci", host_pci_paths.sys);
	if (access(path, F_OK) != 0) {
		cli_error(
			"%s: the kernel has no vfio-pci driver: modprobe vfio-pci", device.address);
		return CTL_FAILED;
	}
	store_driver(&device);
	if (!change_driver(&device, "vfio-pci")) {
		device_write(&device, "its driver cannot be selected", "driver_override", "\n");
		return CTL_FAILED;
	}
	host_pci_read(&host_pci_paths, device.address, &device);
	if (strcmp(device.driver, "vfio-pci") != 0) {
		cli_error("%s: vfio-pci did not bind it: dmesg | tail", device.address);
		restore_driver(&device);
		return CTL_FAILED;
	}
	printf("%s: bound to vfio-pci: dextd --device vfio,host=%s\n", device.address,
		device.address);
	return CTL_OK;
}

static enum ctl_exit unbind_device(const struct ctl_options *options, char **arguments)
{
	struct host_pci device;
	enum ctl_exit exit_status = find(arguments[0], &device);

	(void)options;
	if (exit_status != CTL_OK)
		return exit_status;
	if (strcmp(device.driver, "vfio-pci") != 0) {
		cli_error("%s: bound to %s, not to vfio-pci", device.address,
			*device.driver ? device.driver : "no driver");
		return CTL_FAILED;
	}
	if (!restore_driver(&device))
		return CTL_FAILED;
	printf("%s: bound to %s\n", device.address,
		*device.driver ? device.driver : "no driver: the kernel has none for it");
	return CTL_OK;
}

/* Set @text to the reason why a device cannot be bound; to "" if it can. */
static void find_obstacle(const struct host_pci *device, char *text, size_t size)
{
	char why[400];

	text[0] = '\0';
	if (host_pci_is_bridge(device))
		snprintf(text, size, "bridge");
	else if (device->group < 0)
		snprintf(text, size, "no IOMMU");
	else if (host_pci_in_use(&host_pci_paths, device, why, sizeof(why)))
		snprintf(text, size, "%s", why);
}

static void add_row(struct cli_table *table, struct names *names, const struct host_pci *device,
	const char *obstacle)
{
	char id[16], group[16] = "-", class_name[NAME_SIZE], name[NAME_SIZE];
	const char *state = "free: dextctl bind";

	if (*obstacle)
		state = obstacle;
	else if (strcmp(device->driver, "vfio-pci") == 0)
		state = "bound: dextd can take it";
	snprintf(id, sizeof(id), "%04x:%04x", device->vendor_id, device->device_id);
	if (device->group >= 0)
		snprintf(group, sizeof(group), "%d", device->group);
	cli_table_add(
		table, (const char *[]){ device->address, id, group,
			       *device->driver ? device->driver : "-", state,
			       names_class(names, device->class_code, class_name),
			       names_device(names, device->vendor_id, device->device_id, name) });
}

static void add_object(
	struct json_object *array, const struct host_pci *device, const char *obstacle)
{
	struct json_object *row = json_add_object(array);

	json_put_text(row, "address", device->address);
	json_put_hex(row, "vendor_id", 4, device->vendor_id);
	json_put_hex(row, "device_id", 4, device->device_id);
	json_put_hex(row, "class_code", 6, device->class_code);
	if (device->group >= 0)
		json_put_number(row, "iommu_group", (uint64_t)device->group);
	else
		json_put_null(row, "iommu_group");
	json_put_text(row, "driver", *device->driver ? device->driver : NULL);
	json_put_bool(row, "available", !*obstacle);
	json_put_text(row, "reason", *obstacle ? obstacle : NULL);
}

enum ctl_exit ctl_list_host(const struct ctl_options *options)
{
	static const char *const heads[] = { "ADDRESS", "ID", "GROUP", "DRIVER", "STATE", "CLASS",
		"DEVICE" };
	struct cli_table table = CLI_TABLE(heads);
	struct json_object *array;
	struct names *names;
	struct host_pci *devices;
	size_t count;

	if (!host_pci_list(&host_pci_paths, -1, &devices, &count)) {
		cli_error("the PCI devices of this host cannot be listed (%s)", strerror(errno));
		return CTL_FAILED;
	}
	names = names_open(options->numeric);
	array = options->json ? json_new_array() : NULL;
	for (size_t i = 0; i < count; i++) {
		char obstacle[420];

		find_obstacle(&devices[i], obstacle, sizeof(obstacle));
		if (array)
			add_object(array, &devices[i], obstacle);
		else
			add_row(&table, names, &devices[i], obstacle);
	}
	if (array)
		json_print(array);
	else
		cli_table_print(&table, stdout);
	cli_table_free(&table);
	names_close(names);
	free(devices);
	return CTL_OK;
}

const struct ctl_command ctl_bind = {
	.name = "bind",
	.arguments = "ADDR",
	.summary = "bind a host's device to vfio-pci",
	.help = "Unbind a PCI device of this host from its driver and bind it to vfio-pci, for\n"
		"dextd. The members of its IOMMU group are listed, since only whole groups can be\n"
		"passed through. This is refused if the host uses one of them: a mounted disk,\n"
		"swap space, a network interface that is up, the graphics adapter of the console.\n"
		"Needs root.\n",
	.examples = "dextctl bind 0000:01:00.0\n",
	.run = bind_device,
};

const struct ctl_command ctl_unbind = {
	.name = "unbind",
	.arguments = "ADDR",
	.summary = "bind it to its former driver",
	.help = "Unbind a device of this host from vfio-pci and bind it to the driver that it had\n"
		"before. Needs root.\n",
	.examples = "dextctl unbind 0000:01:00.0\n",
	.run = unbind_device,
};
