/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/host-pci.h"
#include "common/pci-address.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct host_pci_paths host_pci_paths = { .sys = "/sys", .proc = "/proc", .run = "/run" };

#define CLASS_BRIDGE 0x06
/* How deep below a PCI device its disks and network interfaces are looked for. */
#define DEPTH_MAX 8

bool host_pci_address(const char *text, char address[HOST_PCI_ADDRESS_SIZE])
{
	const char *colon = strchr(text, ':'), *rest = text;
	unsigned long domain = 0;
	struct pci_address pci;
	char *end;

	/* Two colons: the first ends the domain. */
	if (colon && strchr(colon + 1, ':')) {
		domain = strtoul(text, &end, 16);
		rest = colon + 1;
		if (end != colon || domain > UINT32_MAX)
			return false;
	}
	if (pci_address_parse(rest, &pci, NULL) || *pci.root)
		return false;
	snprintf(address, HOST_PCI_ADDRESS_SIZE, "%04x:%02x:%02x.%x", (unsigned)domain, pci.bus,
		pci.device, pci.function);
	return true;
}

/* The last component of a link; "" when there is no such link. */
static void link_name(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	const char *slash;

	name[0] = '\0';
	if (length < 0)
		return;
	target[length] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
}

/* The first line of a file; "" when it cannot be read. */
static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	if (!fgets(line, (int)size, file))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

static unsigned long read_hex(const char *directory, const char *name)
{
	char path[PATH_MAX], line[32];

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		return 0;
	read_line(path, line, sizeof(line));
	return strtoul(line, NULL, 16);
}

bool host_pci_read(const struct host_pci_paths *paths, const char *address, struct host_pci *device)
{
	char directory[PATH_MAX - 64], path[PATH_MAX], name[64];

	snprintf(directory, sizeof(directory), "%s/bus/pci/devices/%s", paths->sys, address);
	/* @address may be that of @device: look anew. */
	if (address != device->address)
		snprintf(device->address, sizeof(device->address), "%s", address);
	device->driver[0] = '\0';
	device->group = -1;
	if (access(directory, F_OK) != 0)
		return false;
	device->vendor_id = (uint16_t)read_hex(directory, "vendor");
	device->device_id = (uint16_t)read_hex(directory, "device");
	device->class_code = (uint32_t)read_hex(directory, "class");
	snprintf(path, sizeof(path), "%s/driver", directory);
	link_name(path, device->driver, sizeof(device->driver));
	snprintf(path, sizeof(path), "%s/iommu_group", directory);
	link_name(path, name, sizeof(name));
	if (*name)
		device->group = atoi(name);
	snprintf(path, sizeof(path), "%s/iommu_group/name", directory);
	read_line(path, name, sizeof(name));
	device->noiommu = strcmp(name, "vfio-noiommu") == 0;
	return true;
}

bool host_pci_is_bridge(const struct host_pci *device)
{
	return device->class_code >> 16 == CLASS_BRIDGE;
}

static int by_address(const void *a, const void *b)
{
	return strcmp(((const struct host_pci *)a)->address, ((const struct host_pci *)b)->address);
}

bool host_pci_list(
	const struct host_pci_paths *paths, int group, struct host_pci **devices, size_t *count)
{
	char path[PATH_MAX];
	struct dirent *entry;
	size_t room = 0;
	bool complete = true;
	DIR *directory;

	*devices = NULL;
	*count = 0;
	if (group >= 0)
		snprintf(
			path, sizeof(path), "%s/kernel/iommu_groups/%d/devices", paths->sys, group);
	else
		snprintf(path, sizeof(path), "%s/bus/pci/devices", paths->sys);
	directory = opendir(path);
	if (!directory)
		return false;
	while (complete && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		if (*count == room) {
			struct host_pci *larger;

			room = room ? 2 * room : 32;
			larger = reallocarray(*devices, room, sizeof(*larger));
			complete = larger != NULL;
			if (!complete)
				break;
			*devices = larger;
		}
		if (host_pci_read(paths, entry->d_name, &(*devices)[*count]))
			++*count;
	}
	closedir(directory);
	if (!complete) {
		free(*devices);
		*devices = NULL;
		*count = 0;
		return false;
	}
	if (*count)
		qsort(*devices, *count, sizeof(**devices), by_address);
	return true;
}

/* What is asked of each directory below a device; true ends the search. */
struct search {
	const struct host_pci_paths *paths;
	char *why;
	size_t size;
};

/* Whether the first word of a line of /proc/swaps is the device file of that name. */
static bool is_swapped_to(const struct search *search, const char *name)
{
	char path[PATH_MAX], line[512], file[300];
	bool found = false;
	FILE *swaps;

	snprintf(path, sizeof(path), "%s/swaps", search->paths->proc);
	swaps = fopen(path, "re");
	while (swaps && !found && fgets(line, sizeof(line), swaps)) {
		snprintf(file, sizeof(file), "/dev/%s ", name);
		found = strncmp(line, file, strlen(file)) == 0;
	}
	if (swaps)
		fclose(swaps);
	return found;
}

/*
 * Where a block device is mounted; false: nowhere. By its numbers ("259:1"), or by its name:
 * file systems over several devices have numbers of their own.
 */
static bool is_mounted(const struct search *search, const char *numbers, const char *name,
	char *where, size_t size)
{
	char path[PATH_MAX], line[1024], found[64], point[300], source[300];
	const char *rest;
	bool mounted = false;
	FILE *mounts;

	snprintf(path, sizeof(path), "%s/self/mountinfo", search->paths->proc);
	mounts = fopen(path, "re");
	while (mounts && !mounted && fgets(line, sizeof(line), mounts)) {
		rest = strstr(line, " - ");
		if (sscanf(line, "%*s %*s %63s %*s %299s", found, point) != 2 || !rest ||
			sscanf(rest, " - %*s %299s", source) != 1)
			continue;
		if (strcmp(found, numbers) != 0 &&
			(strncmp(source, "/dev/", 5) != 0 || strcmp(source + 5, name) != 0))
			continue;
		snprintf(where, size, "%s", point);
		mounted = true;
	}
	if (mounts)
		fclose(mounts);
	return mounted;
}

static bool has_entries(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool any = false;

	while (directory && !any && (entry = readdir(directory)))
		any = entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return any;
}

/* A disk or partition: @path is its directory in sysfs. */
static bool block_in_use(const struct search *search, const char *path, const char *name)
{
	char file[PATH_MAX], numbers[64], where[300];

	if (snprintf(file, sizeof(file), "%s/dev", path) >= (int)sizeof(file))
		return false;
	read_line(file, numbers, sizeof(numbers));
	if (!*numbers)
		return false;
	if (is_mounted(search, numbers, name, where, sizeof(where)))
		snprintf(search->why, search->size, "%s is mounted on %s", name, where);
	else if (is_swapped_to(search, name))
		snprintf(search->why, search->size, "%s is swap space", name);
	else if (snprintf(file, sizeof(file), "%s/holders", path) < (int)sizeof(file) &&
		 has_entries(file))
		snprintf(search->why, search->size, "%s is a part of another block device", name);
	else
		return false;
	return true;
}

static bool interface_in_use(const struct search *search, const char *path, const char *name)
{
	if (!(read_hex(path, "flags") & 1)) /* IFF_UP */
		return false;
	snprintf(search->why, search->size, "network interface %s is up", name);
	return true;
}

/* Whether a directory below the device, named @name in @parent, is in use, or one below it. */
static bool search_below(
	const struct search *search, const char *path, const char *parent, unsigned depth)
{
	DIR *directory = depth < DEPTH_MAX ? opendir(path) : NULL;
	struct dirent *entry;
	bool found = false;
	char below[PATH_MAX];

	while (directory && !found && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || entry->d_type != DT_DIR ||
			snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >=
				(int)sizeof(below))
			continue;
		found = (strcmp(parent, "net") == 0 &&
				interface_in_use(search, below, entry->d_name)) ||
			block_in_use(search, below, entry->d_name) ||
			search_below(search, below, entry->d_name, depth + 1);
	}
	if (directory)
		closedir(directory);
	return found;
}

bool host_pci_in_use(
	const struct host_pci_paths *paths, const struct host_pci *device, char *why, size_t size)
{
	const struct search search = { .paths = paths, .why = why, .size = size };
	char path[PATH_MAX];

	if (!*device->driver)
		return false;
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", paths->sys, device->address);
	if (read_hex(path, "boot_vga")) {
		snprintf(why, size, "it is the graphics adapter of the console");
		return true;
	}
	return search_below(&search, path, "", 0);
}
