/* SPDX-License-Identifier: BSD-3-Clause */
/* Reasons why a host device cannot be opened, each with the command that solves it. */
#include "provider/vfio/vfio.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* vfio-pci publishes vfio-dev/vfioN below the device where it has a cdev. */
static void read_cdev(struct vfio_host *host)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/vfio-dev", host_pci_paths.sys,
		host->device.address);
	directory = opendir(path);
	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (strncmp(entry->d_name, "vfio", 4) == 0 && strlen(entry->d_name) < 32)
			snprintf(host->cdev, sizeof(host->cdev), "/dev/vfio/devices/%.32s",
				entry->d_name);
	closedir(directory);
	if (*host->cdev && access(host->cdev, F_OK) != 0)
		host->cdev[0] = '\0';
}

static bool parse_host(const char *text, struct vfio_host *host, struct spec_error *error)
{
	char address[HOST_PCI_ADDRESS_SIZE];
	const char *colon;

	if (!host_pci_address(text, address))
		return spec_invalid(error,
			"vfio: host=%s: expected a PCI address as lspci prints it, 0000:01:00.0",
			text);
	if (!host_pci_read(&host_pci_paths, address, &host->device))
		return spec_fail(
			error, "vfio: no PCI device %s on this host: lspci -D lists them", address);
	/* The domain is the PCI root's name, unless it is 0. */
	colon = strchr(address, ':');
	pci_address_parse(colon + 1, &host->pci, NULL);
	if (strtoul(address, NULL, 16))
		snprintf(host->pci.root, sizeof(host->pci.root), "%.*s", (int)(colon - address),
			address);
	return true;
}

bool vfio_host_look(const char *text, struct vfio_host *host, struct spec_error *error)
{
	const struct host_pci *device = &host->device;
	char path[PATH_MAX];

	*host = (struct vfio_host){ .cdev = "" };
	if (!parse_host(text, host, error))
		return false;
	if (host_pci_is_bridge(device))
		return spec_fail(error,
			"vfio: %s is a PCI bridge: only the devices behind it can be passed "
			"through",
			device->address);
	snprintf(path, sizeof(path), "%s/bus/pci/drivers/vfio-pci", host_pci_paths.sys);
	if (access(path, F_OK) != 0)
		return spec_fail(
			error, "vfio: the kernel has no vfio-pci driver: modprobe vfio-pci");
	if (strcmp(device->driver, "vfio-pci") != 0)
		return spec_fail(error, "vfio: %s is bound to %s, not to vfio-pci: dextctl bind %s",
			device->address, *device->driver ? device->driver : "no driver",
			device->address);
	if (device->group < 0)
		return spec_fail(error,
			"vfio: %s is behind no IOMMU: enable it in the firmware's setup (VT-d, "
			"AMD-Vi) and boot with intel_iommu=on",
			device->address);
	read_cdev(host);
	return true;
}

/* Drivers that the kernel accepts beside vfio-pci in a viable group. */
static bool is_harmless(const char *driver)
{
	return !*driver || strcmp(driver, "vfio-pci") == 0 || strcmp(driver, "pci-stub") == 0 ||
	       strcmp(driver, "pcieport") == 0;
}

bool vfio_host_not_viable(const struct vfio_host *host, struct spec_error *error)
{
	const struct host_pci *bridge = NULL, *member = NULL, *own = &host->device;
	struct host_pci *devices;
	size_t count;

	host_pci_list(&host_pci_paths, own->group, &devices, &count);
	for (size_t i = 0; i < count; i++) {
		if (host_pci_is_bridge(&devices[i]))
			bridge = &devices[i];
		else if (!is_harmless(devices[i].driver))
			member = &devices[i];
	}
	if (member)
		spec_fail(error,
			"vfio: %s shares IOMMU group %d with %s, which is bound to %s: dextctl "
			"bind %s%s",
			own->address, own->group, member->address, member->driver, member->address,
			bridge ? " (a bridge in the group lacks ACS)" : "");
	else if (bridge)
		spec_fail(error,
			"vfio: %s shares IOMMU group %d with the bridge %s, which lacks ACS: move "
			"the device to another slot",
			own->address, own->group, bridge->address);
	else
		spec_fail(error, "vfio: IOMMU group %d of %s is not viable: dextctl list --host",
			own->group, own->address);
	free(devices);
	return false;
}

bool vfio_host_not_opened(
	const struct vfio_host *host, const char *path, int code, struct spec_error *error)
{
	switch (code) {
	case EACCES:
	case EPERM:
		return spec_fail(error,
			"vfio: %s: no permission to open %s: run as root, or chown it to user %u",
			host->device.address, path, (unsigned)geteuid());
	case EBUSY:
		return spec_fail(error, "vfio: %s: %s is in use by another program: fuser -v %s",
			host->device.address, path, path);
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return spec_fail(error, "vfio: %s: there is no %s: modprobe vfio-pci",
			host->device.address, path);
	default:
		return spec_fail(error, "vfio: %s: %s cannot be opened (%s)", host->device.address,
			path, strerror(code));
	}
}
