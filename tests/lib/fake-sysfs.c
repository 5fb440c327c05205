/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/fake-sysfs.h"
#include "tests/lib/cmocka-all.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64], sys[80], proc[80], run[80];
static struct host_pci_paths paths = { .sys = sys, .proc = proc, .run = run };

/* A path below the tree; two buffers, so that a call can name two. */
static const char *path_of(const char *format, va_list args)
{
	static char buffers[2][PATH_MAX];
	static unsigned next;
	char *path = buffers[next ^= 1];
	int length = snprintf(path, PATH_MAX, "%s/", root);

	vsnprintf(path + length, (size_t)(PATH_MAX - length), format, args);
	return path;
}

__attribute__((format(printf, 1, 2))) static const char *path(const char *format, ...)
{
	const char *result;
	va_list args;

	va_start(args, format);
	result = path_of(format, args);
	va_end(args);
	return result;
}

/* Create the folders of @file. */
static void make_folders(const char *file)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", file);
	for (char *slash = folder + strlen(root); (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		assert_true(mkdir(folder, 0755) == 0 || errno == EEXIST);
	}
}

static void make_link(const char *target, const char *file)
{
	make_folders(file);
	unlink(file);
	assert_int_equal(symlink(target, file), 0);
}

void fake_sysfs_write(const char *text, const char *format, ...)
{
	const char *name;
	va_list args;
	FILE *file;

	va_start(args, format);
	name = path_of(format, args);
	va_end(args);
	make_folders(name);
	file = fopen(name, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

const char *fake_sysfs_read(const char *format, ...)
{
	static char text[256];
	va_list args;
	FILE *file;

	va_start(args, format);
	file = fopen(path_of(format, args), "re");
	va_end(args);
	text[0] = '\0';
	if (!file)
		return text;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

const struct host_pci_paths *fake_sysfs_create(void)
{
	snprintf(root, sizeof(root), "/tmp/fake-sysfs-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(sys, sizeof(sys), "%s/sys", root);
	snprintf(proc, sizeof(proc), "%s/proc", root);
	snprintf(run, sizeof(run), "%s/run", root);
	make_folders(path("sys/bus/pci/devices/"));
	make_folders(path("sys/bus/pci/drivers/"));
	make_folders(path("proc/self/"));
	make_folders(path("run/"));
	return &paths;
}

static int remove_one(const char *name, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status, (void)type, (void)ftw;
	return remove(name);
}

void fake_sysfs_remove(void)
{
	assert_int_equal(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void fake_sysfs_bind(const char *address, const char *driver)
{
	char target[96];

	if (!driver) {
		unlink(path("sys/bus/pci/devices/%s/driver", address));
		return;
	}
	make_folders(path("sys/bus/pci/drivers/%s/", driver));
	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	make_link(target, path("sys/bus/pci/devices/%s/driver", address));
	fake_sysfs_write("", "sys/bus/pci/devices/%s/driver/unbind", address);
	fake_sysfs_write("", "sys/bus/pci/devices/%s/driver/bind", address);
}

void fake_sysfs_add(const struct fake_pci *device)
{
	char text[96];

	snprintf(text, sizeof(text), "0x%04x\n", device->id >> 16);
	fake_sysfs_write(text, "sys/bus/pci/devices/%s/vendor", device->address);
	snprintf(text, sizeof(text), "0x%04x\n", device->id & 0xffff);
	fake_sysfs_write(text, "sys/bus/pci/devices/%s/device", device->address);
	snprintf(text, sizeof(text), "0x%06x\n", device->class_code);
	fake_sysfs_write(text, "sys/bus/pci/devices/%s/class", device->address);
	fake_sysfs_write("(null)\n", "sys/bus/pci/devices/%s/driver_override", device->address);
	fake_sysfs_bind(device->address, device->driver);
	if (device->group < 0)
		return;
	snprintf(text, sizeof(text), "../../../../kernel/iommu_groups/%d", device->group);
	make_link(text, path("sys/bus/pci/devices/%s/iommu_group", device->address));
	snprintf(text, sizeof(text), "../../../../bus/pci/devices/%s", device->address);
	make_link(text,
		path("sys/kernel/iommu_groups/%d/devices/%s", device->group, device->address));
}
