/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dextctl bind and unbind on a fake sysfs. The program is linked so that a write to a file of it
 * does what the kernel does: unbind, look for a driver, bind.
 */
#include "common/host-pci.h"
#include "tests/lib/capture.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fake-sysfs.h"
#include "tools/dextctl/dextctl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISK   "0000:01:00.0"
#define NIC    "0000:01:00.1"
#define BRIDGE "0000:00:01.0"

/* The fake kernel: the driver that claims DISK without an override, and an error of a write. */
static struct {
	const char *default_driver;
	const char *failing_file; /* whose write fails with EBUSY; NULL: none */
	bool refuses;		  /* the driver of the override does not bind */
} kernel;

static void probe(const char *address)
{
	char driver[64];

	snprintf(driver, sizeof(driver), "%s",
		fake_sysfs_read("sys/bus/pci/devices/%s/driver_override", address));
	if (!*driver)
		fake_sysfs_bind(address, kernel.default_driver);
	else if (!kernel.refuses)
		fake_sysfs_bind(address, driver);
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	char link[64], path[PATH_MAX], text[64];
	const char *name;
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	if (strncmp(path, host_pci_paths.sys, strlen(host_pci_paths.sys)) != 0)
		return __real_write(fd, data, size);
	name = strrchr(path, '/') + 1;
	snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)data);
	if (kernel.failing_file && strcmp(name, kernel.failing_file) == 0) {
		errno = EBUSY;
		return -1;
	}
	if (strcmp(name, "unbind") == 0)
		fake_sysfs_bind(text, NULL);
	else if (strcmp(name, "drivers_probe") == 0)
		probe(text);
	else if (strcmp(name, "bind") == 0) {
		name = strstr(path, "/drivers/") + strlen("/drivers/");
		snprintf(link, sizeof(link), "%.*s", (int)strcspn(name, "/"), name);
		fake_sysfs_bind(text, link);
	} else if (ftruncate(fd, 0) != 0 || __real_write(fd, data, size) < 0) {
		return -1;
	}
	return (ssize_t)size;
}

static int setup(void **state)
{
	(void)state;
	host_pci_paths = *fake_sysfs_create();
	fake_sysfs_add(&(struct fake_pci){ DISK, 0x144da808, 0x010802, "nvme", 7 });
	fake_sysfs_add(&(struct fake_pci){ NIC, 0x808610d3, 0x020000, "e1000e", 7 });
	fake_sysfs_add(&(struct fake_pci){ BRIDGE, 0x80861901, 0x060400, "pcieport", 7 });
	fake_sysfs_write("", "sys/bus/pci/drivers/vfio-pci/bind");
	fake_sysfs_write("", "sys/bus/pci/drivers/nvme/bind");
	fake_sysfs_write("", "sys/bus/pci/drivers_probe");
	kernel.default_driver = "nvme";
	kernel.failing_file = NULL;
	kernel.refuses = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_sysfs_remove();
	return 0;
}

static char *output, *errors;

/* Run a command with its output captured. */
static enum ctl_exit run(const struct ctl_command *command, const char *address)
{
	char text[64], *arguments[] = { text, NULL };
	const struct ctl_options options = { 0 };
	enum ctl_exit status;

	snprintf(text, sizeof(text), "%s", address);
	capture_begin();
	status = command->run(&options, arguments);
	capture_end(&output, &errors);
	return status;
}

static void assert_driver(const char *address, const char *driver)
{
	struct host_pci device;

	assert_true(host_pci_read(&host_pci_paths, address, &device));
	assert_string_equal(device.driver, driver);
}

/* The command fails with one line that holds @text, and the device stays with its driver. */
static void fails(const struct ctl_command *command, const char *address, const char *text)
{
	assert_int_equal(run(command, address), CTL_FAILED);
	assert_non_null(strstr(errors, text));
	assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1);
	assert_string_equal(
		fake_sysfs_read("sys/bus/pci/devices/%s/driver_override", DISK), "(null)");
}

static void test_bind_and_unbind(void **state)
{
	(void)state;
	assert_int_equal(run(&ctl_bind, "01:00.0"), CTL_OK);
	assert_driver(DISK, "vfio-pci");
	assert_string_equal(output,
		"IOMMU group 7:\n"
		"  0000:00:01.0 8086:1901 bridge\n"
		"  0000:01:00.0 144d:a808 nvme\n"
		"  0000:01:00.1 8086:10d3 e1000e\n"
		"0000:01:00.0: bound to vfio-pci: dextd --device vfio,host=0000:01:00.0\n");
	assert_string_equal(errors, "");
	assert_int_equal(run(&ctl_bind, DISK), CTL_OK);
	assert_non_null(strstr(output, "bound to vfio-pci already\n"));
	assert_int_equal(run(&ctl_unbind, DISK), CTL_OK);
	assert_string_equal(output, DISK ": bound to nvme\n");
	assert_driver(DISK, "nvme");
	assert_string_equal(fake_sysfs_read("sys/bus/pci/devices/%s/driver_override", DISK), "");
	assert_string_equal(fake_sysfs_read("run/dextpci-bind/%s", DISK), "");
	assert_driver(NIC, "e1000e");
}

/* A driver that claims a device only when it is told to. */
static void test_unbind_restores_the_driver(void **state)
{
	(void)state;
	kernel.default_driver = NULL;
	assert_int_equal(run(&ctl_bind, DISK), CTL_OK);
	assert_int_equal(run(&ctl_unbind, DISK), CTL_OK);
	assert_driver(DISK, "nvme");
	/* One that had none gets none. */
	fake_sysfs_bind(DISK, NULL);
	assert_int_equal(run(&ctl_bind, DISK), CTL_OK);
	assert_int_equal(run(&ctl_unbind, DISK), CTL_OK);
	assert_string_equal(output, DISK ": bound to no driver: the kernel has none for it\n");
	assert_driver(DISK, "");
}

/* After an unbind that failed, the driver is still known. */
static void test_unbind_again(void **state)
{
	(void)state;
	kernel.default_driver = NULL;
	assert_int_equal(run(&ctl_bind, DISK), CTL_OK);
	kernel.failing_file = "unbind";
	assert_int_equal(run(&ctl_unbind, DISK), CTL_FAILED);
	assert_non_null(
		strstr(errors, "it cannot be unbound from its driver: Device or resource busy"));
	kernel.failing_file = NULL;
	assert_int_equal(run(&ctl_unbind, DISK), CTL_OK);
	assert_driver(DISK, "nvme");
}

static void test_vfio_does_not_bind(void **state)
{
	(void)state;
	kernel.refuses = true;
	assert_int_equal(run(&ctl_bind, DISK), CTL_FAILED);
	assert_non_null(strstr(errors, "vfio-pci did not bind it: dmesg"));
	assert_driver(DISK, "nvme");
	assert_string_equal(fake_sysfs_read("sys/bus/pci/devices/%s/driver_override", DISK), "");
	kernel.failing_file = "unbind";
	assert_int_equal(run(&ctl_bind, DISK), CTL_FAILED);
	assert_driver(DISK, "nvme");
	assert_string_equal(fake_sysfs_read("sys/bus/pci/devices/%s/driver_override", DISK), "");
}

static void test_refused(void **state)
{
	(void)state;
	fails(&ctl_bind, BRIDGE, "a bridge: only the devices behind it");
	fails(&ctl_bind, "0000:7f:00.0", "no such device on this host (dextctl list --host)");
	fails(&ctl_unbind, DISK, "bound to nvme, not to vfio-pci");
	assert_int_equal(run(&ctl_bind, "nonsense"), CTL_USAGE);
	assert_non_null(strstr(errors, "expected a PCI address of this host"));
	fake_sysfs_add(&(struct fake_pci){ "0000:02:00.0", 0x80861234, 0x020000, NULL, -1 });
	fails(&ctl_bind, "0000:02:00.0", "it has no IOMMU");
	fake_sysfs_write("259:1\n", "sys/bus/pci/devices/" DISK "/nvme/nvme0/nvme0n1/dev");
	fake_sysfs_write("23 1 259:1 / / rw - ext4 /dev/root rw\n", "proc/self/mountinfo");
	fails(&ctl_bind, DISK, "in use by the host: nvme0n1 is mounted on /");
	assert_driver(DISK, "nvme");
	/* Nor any other device of its group. */
	fails(&ctl_bind, NIC, DISK " of its IOMMU group is in use by the host");
	assert_driver(NIC, "e1000e");
}

static void test_without_vfio(void **state)
{
	(void)state;
	fake_sysfs_remove();
	host_pci_paths = *fake_sysfs_create();
	fake_sysfs_add(&(struct fake_pci){ DISK, 0x144da808, 0x010802, "nvme", 7 });
	fails(&ctl_bind, DISK, "the kernel has no vfio-pci driver: modprobe vfio-pci");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bind_and_unbind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unbind_restores_the_driver, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unbind_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vfio_does_not_bind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_vfio, setup, teardown),
	};
	int failed = cmocka_run_group_tests_name("dextctl bind", tests, NULL, NULL);

	free(output);
	free(errors);
	return failed;
}
