/* SPDX-License-Identifier: BSD-3-Clause */
/* The host's PCI devices, as a sysfs shows them: addresses, groups, drivers, and what is in use. */
#include "common/host-pci.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fake-sysfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DISK   "0000:01:00.0"
#define NIC    "0000:02:00.0"
#define BRIDGE "0000:00:01.0"

static const struct host_pci_paths *paths;

static int setup(void **state)
{
	(void)state;
	paths = fake_sysfs_create();
	fake_sysfs_add(&(struct fake_pci){ DISK, 0x144da808, 0x010802, "nvme", 7 });
	fake_sysfs_add(&(struct fake_pci){ NIC, 0x808610d3, 0x020000, "e1000e", 7 });
	fake_sysfs_add(&(struct fake_pci){ BRIDGE, 0x80861901, 0x060400, "pcieport", 7 });
	fake_sysfs_add(&(struct fake_pci){ "0000:03:00.0", 0x10de1234, 0x030000, NULL, -1 });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_sysfs_remove();
	return 0;
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *address;
	} good[] = {
		{ "0000:01:00.0", DISK },
		{ "01:00.0", DISK },
		{ "1:0.0", DISK },
		{ "10000:e1:1f.7", "10000:e1:1f.7" },
		{ "ffffffff:FF:1f.7", "ffffffff:ff:1f.7" },
	};
	static const char *const bad[] = { "", "01", "01:00", "0000:01:00", "0000:01:00.8",
		"0000:01:20.0", "0000:100:00.0", "100000000:01:00.0", "x000:01:00.0",
		"root/01:00.0", "0000:01:00.0 ", "../../etc", "0000:../..:00.0" };
	char address[HOST_PCI_ADDRESS_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_true(host_pci_address(good[i].text, address));
		assert_string_equal(address, good[i].address);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(host_pci_address(bad[i], address));
}

static void test_read(void **state)
{
	struct host_pci device;

	(void)state;
	assert_true(host_pci_read(paths, DISK, &device));
	assert_string_equal(device.address, DISK);
	assert_string_equal(device.driver, "nvme");
	assert_int_equal(device.vendor_id, 0x144d);
	assert_int_equal(device.device_id, 0xa808);
	assert_int_equal(device.class_code, 0x010802);
	assert_int_equal(device.group, 7);
	assert_false(device.noiommu);
	assert_false(host_pci_is_bridge(&device));
	assert_true(host_pci_read(paths, BRIDGE, &device));
	assert_true(host_pci_is_bridge(&device));
	assert_true(host_pci_read(paths, "0000:03:00.0", &device));
	assert_string_equal(device.driver, "");
	assert_int_equal(device.group, -1);
	/* Read again, in place, after its driver has changed. */
	fake_sysfs_bind(device.address, "nouveau");
	assert_true(host_pci_read(paths, device.address, &device));
	assert_string_equal(device.address, "0000:03:00.0");
	assert_string_equal(device.driver, "nouveau");
	assert_false(host_pci_read(paths, "0000:7f:00.0", &device));
}

/* The group of VFIO's noiommu mode is known by its name. */
static void test_noiommu(void **state)
{
	struct host_pci device;

	(void)state;
	fake_sysfs_write("vfio-noiommu\n", "sys/kernel/iommu_groups/7/name");
	assert_true(host_pci_read(paths, DISK, &device));
	assert_true(device.noiommu);
	fake_sysfs_write("another\n", "sys/kernel/iommu_groups/7/name");
	assert_true(host_pci_read(paths, DISK, &device));
	assert_false(device.noiommu);
}

static void test_list(void **state)
{
	struct host_pci *devices;
	char address[HOST_PCI_ADDRESS_SIZE];
	size_t count;

	(void)state;
	assert_true(host_pci_list(paths, 7, &devices, &count));
	assert_int_equal(count, 3);
	assert_string_equal(devices[0].address, BRIDGE);
	assert_string_equal(devices[1].address, DISK);
	assert_string_equal(devices[2].address, NIC);
	free(devices);
	assert_false(host_pci_list(paths, 8, &devices, &count));
	assert_int_equal(count, 0);
	free(devices);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(address, sizeof(address), "0000:%02x:00.0", 0xff - i);
		fake_sysfs_add(&(struct fake_pci){ address, 0x12345678, 0xff0000, NULL, -1 });
	}
	assert_true(host_pci_list(paths, -1, &devices, &count));
	assert_int_equal(count, 104);
	for (size_t i = 1; i < count; i++)
		assert_true(strcmp(devices[i - 1].address, devices[i].address) < 0);
	free(devices);
}

static void in_use_is(const char *address, const char *expected)
{
	struct host_pci device;
	char why[400] = "";

	assert_true(host_pci_read(paths, address, &device));
	assert_int_equal(host_pci_in_use(paths, &device, why, sizeof(why)), *expected != 0);
	assert_string_equal(why, expected);
}

#define BLOCK "sys/bus/pci/devices/" DISK "/nvme/nvme0/nvme0n1"
#define MOUNT "22 1 0:5 / /proc rw - proc proc rw\n"

static void test_disk_in_use(void **state)
{
	(void)state;
	in_use_is(DISK, "");
	fake_sysfs_write("259:0\n", BLOCK "/dev");
	fake_sysfs_write("259:1\n", BLOCK "/nvme0n1p1/dev");
	fake_sysfs_write(MOUNT, "proc/self/mountinfo");
	fake_sysfs_write("Filename Type\n/dev/nvme0n1p11 partition\n", "proc/swaps");
	in_use_is(DISK, "");
	fake_sysfs_write(MOUNT "23 1 259:1 / / rw - ext4 /dev/root rw\n", "proc/self/mountinfo");
	in_use_is(DISK, "nvme0n1p1 is mounted on /");
	/* A file system over several devices has numbers of its own. */
	fake_sysfs_write(MOUNT "23 1 0:40 / /home rw shared:1 - btrfs /dev/nvme0n1 rw\n",
		"proc/self/mountinfo");
	in_use_is(DISK, "nvme0n1 is mounted on /home");
	fake_sysfs_write(MOUNT "no line of mountinfo\n\n", "proc/self/mountinfo");
	fake_sysfs_write("Filename Type\n/dev/nvme0n1p1 partition\n", "proc/swaps");
	in_use_is(DISK, "nvme0n1p1 is swap space");
	fake_sysfs_write("Filename Type\n", "proc/swaps");
	fake_sysfs_write("", BLOCK "/nvme0n1p1/holders/dm-0");
	in_use_is(DISK, "nvme0n1p1 is a part of another block device");
	/* Without a driver the host cannot use it. */
	fake_sysfs_bind(DISK, NULL);
	in_use_is(DISK, "");
}

static void test_interface_in_use(void **state)
{
	(void)state;
	fake_sysfs_write("0x1002\n", "sys/bus/pci/devices/" NIC "/net/eth0/flags");
	in_use_is(NIC, "");
	fake_sysfs_write("0x1003\n", "sys/bus/pci/devices/" NIC "/net/eth0/flags");
	in_use_is(NIC, "network interface eth0 is up");
}

static void test_console_in_use(void **state)
{
	(void)state;
	fake_sysfs_bind("0000:03:00.0", "nouveau");
	fake_sysfs_write("0\n", "sys/bus/pci/devices/0000:03:00.0/boot_vga");
	in_use_is("0000:03:00.0", "");
	fake_sysfs_write("1\n", "sys/bus/pci/devices/0000:03:00.0/boot_vga");
	in_use_is("0000:03:00.0", "it is the graphics adapter of the console");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_noiommu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interface_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_console_in_use, setup, teardown),
	};

	return cmocka_run_group_tests_name("host-pci", tests, NULL, NULL);
}
