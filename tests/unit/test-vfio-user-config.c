/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Config space as the VMM sees it: registers of the device, and registers that the server
 * emulates.
 */
#include "tests/lib/vfio-user-rig.h"

#include <stdlib.h>
#include <string.h>

/* Forget the writes to the device so far. The start of a session writes too. */
static void forget_writes(void)
{
	fake_client_lock()->config_write_count = 0;
	fake_client_unlock();
}

static void expect_writes(const struct fake_client_access *expected, size_t count)
{
	struct fake_client *device = fake_client_lock();

	assert_int_equal(device->config_write_count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(device->config_writes[i].offset, expected[i].offset);
		assert_int_equal(device->config_writes[i].width, expected[i].width);
		assert_int_equal(device->config_writes[i].value, expected[i].value);
	}
	device->config_write_count = 0;
	fake_client_unlock();
}

static void test_ids_are_those_of_the_device(void **state)
{
	assert_int_equal(vu_client_config(*state, 0, 4), 0x00101b36);
	assert_int_equal(vu_client_config(*state, 2, 2), 0x0010);
	assert_int_equal(vu_client_config(*state, 0x0b, 1), 0x01);
}

/* Emulated registers: the value read back after each of several writes. */
static void test_emulated_registers_are_writable(void **state)
{
	static const struct {
		uint16_t offset, width;
		uint32_t fresh, after_ones, after_pattern; /* pattern: 0xa5a5a5a5 */
	} registers[] = {
		/* BAR0, 64-bit, 16 KiB; its upper half; BAR2, 32 ports; BAR4, 4 KiB; none */
		{ 0x10, 4, 0x4, 0xffffc004, 0xa5a58004 }, { 0x14, 4, 0, 0xffffffff, 0xa5a5a5a5 },
		{ 0x18, 4, 0x1, 0xffffffe1, 0xa5a5a5a1 }, { 0x1c, 4, 0, 0, 0 },
		{ 0x20, 4, 0, 0xfffff000, 0xa5a5a000 }, { 0x24, 4, 0, 0, 0 },
		{ 0x30, 4, 0, 0, 0 },	    /* ROM */
		{ 0x3c, 1, 0, 0xff, 0xa5 }, /* interrupt line */
		/* power state; other bits are the device's, which keeps its state in D3hot */
		{ FAKE_PM + 4, 2, 0x8008, 0x800b, 0x8009 },
		{ FAKE_MSI + 2, 2, 0x0186, 0x01f7, 0x01a7 }, /* control */
		{ FAKE_MSI + 4, 4, 0, 0xfffffffc, 0xa5a5a5a4 },
		{ FAKE_MSI + 8, 4, 0, 0xffffffff, 0xa5a5a5a5 },
		{ FAKE_MSI + 12, 2, 0, 0xffff, 0xa5a5 },
		{ FAKE_MSI + 16, 4, 0, 0xffffffff, 0xa5a5a5a5 },
		{ FAKE_MSI + 20, 4, 0, 0, 0 }, /* pending */
		{ FAKE_MSIX + 2, 2, 0x0027, 0xc027, 0x8027 },
		{ FAKE_PCIE + 16, 2, 0x0040, 0x0fcf, 0x0585 }, /* link control */
	};

	forget_writes();
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		uint16_t at = registers[i].offset, width = registers[i].width;

		assert_int_equal(vu_client_config(*state, at, width), registers[i].fresh);
		vu_client_set_config(*state, at, width, 0xffffffff);
		assert_int_equal(vu_client_config(*state, at, width), registers[i].after_ones);
		vu_client_set_config(*state, at, width, 0xa5a5a5a5);
		assert_int_equal(vu_client_config(*state, at, width), registers[i].after_pattern);
	}
	expect_writes(NULL, 0);
}

static void test_read_only_registers_do_not_change(void **state)
{
	static const uint16_t words[] = { 0x00, 0x08, 0x28, 0x2c, 0x34, 0x38, FAKE_PM,
		FAKE_MSIX + 4, FAKE_MSIX + 8, FAKE_PCIE, FAKE_PCIE + 4, FAKE_PCIE + 12,
		FAKE_PCIE + 0x24, FAKE_SRIOV, FAKE_SRIOV + 8, FAKE_SRIOV + 0x3c };

	forget_writes();
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint32_t before = vu_client_config(*state, words[i], 4);

		vu_client_set_config(*state, words[i], 4, ~before);
		assert_int_equal(vu_client_config(*state, words[i], 4), before);
	}
	expect_writes(NULL, 0);
}

static void test_command_reaches_the_device_and_status_does_not(void **state)
{
	static const struct fake_client_access whole[] = { { 4, 2, 0x0407 } };
	static const struct fake_client_access bytes[] = { { 5, 1, 0x00 }, { 4, 1, 0x06 } };

	forget_writes();
	vu_client_set_config(*state, 4, 4, 0xffff0407);
	expect_writes(whole, 1);
	assert_int_equal(vu_client_config(*state, 4, 4), 0x00100407);
	vu_client_set_config(*state, 5, 1, 0x00);
	vu_client_set_config(*state, 4, 1, 0x06);
	expect_writes(bytes, 2);
	vu_client_set_config(*state, 6, 2, 0xffff);
	expect_writes(NULL, 0);
}

static void test_other_registers_are_forwarded(void **state)
{
	static const struct fake_client_access expected[] = { { FAKE_VENDOR + 4, 4, 0x11223344 },
		{ FAKE_AER + 8, 4, 0x55667788 }, { 0xf0, 1, 0x99 }, { 0x0c, 2, 0x4010 } };

	forget_writes();
	vu_client_set_config(*state, FAKE_VENDOR + 4, 4, 0x11223344);
	vu_client_set_config(*state, FAKE_AER + 8, 4, 0x55667788);
	vu_client_set_config(*state, 0xf0, 1, 0x99);
	vu_client_set_config(*state, 0x0c, 4, 0xffff4010); /* with header type and BIST beside it */
	expect_writes(expected, 4);
	assert_int_equal(vu_client_config(*state, FAKE_VENDOR + 4, 4), 0x11223344);
}

static void test_device_status_is_cleared_by_ones_alone(void **state)
{
	static const struct fake_client_access expected[] = { { FAKE_PCIE + 10, 1, 0x05 } };

	forget_writes();
	/* Device Control beside it is emulated. */
	vu_client_set_config(*state, FAKE_PCIE + 8, 4, 0x00250910);
	expect_writes(expected, 1);
	assert_int_equal(vu_client_config(*state, FAKE_PCIE + 8, 2), 0x0910);
}

static void test_function_level_reset_resets(void **state)
{
	vu_client_set_config(*state, FAKE_PM + 4, 2, 0x0003);
	forget_writes();
	vu_client_set_config(*state, FAKE_PCIE + 8, 2, 0x8000 | 0x2810);
	assert_int_equal(fake_client_lock()->resets, 1);
	fake_client_unlock();
	/* The bit reads as 0, and the device is in D0. */
	assert_int_equal(vu_client_config(*state, FAKE_PCIE + 8, 2), 0x2810);
	assert_int_equal(vu_client_config(*state, FAKE_PM + 4, 2) & 3, 0);
	expect_writes(NULL, 0);
	/* As a byte write too. */
	vu_client_set_config(*state, FAKE_PCIE + 9, 1, 0x80);
	assert_int_equal(fake_client_lock()->resets, 2);
	fake_client_unlock();
	fake_client_lock()->reset_result = kIOReturnTimeout;
	fake_client_unlock();
	assert_int_equal(
		vu_client_write(*state, VFIO_PCI_CONFIG_REGION_INDEX, FAKE_PCIE + 9, "\x80", 1),
		ETIMEDOUT);
}

static void test_the_whole_space_is_read_by_one_message(void **state)
{
	struct vfio_user_region_access access = { .region = VFIO_PCI_CONFIG_REGION_INDEX,
		.count = 4096 };
	struct vu_reply *reply = malloc(sizeof(*reply));
	const unsigned char *config = reply->payload + sizeof(access);

	vu_client_set_config(*state, 0x10, 4, 0xfebf0000);
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_REGION_READ, &access, sizeof(access),
				 NULL, 0, reply),
		0);
	assert_memory_equal(config, "\x36\x1b\x10\x00", 4);
	assert_memory_equal(config + 0x10, "\x04\x00\xbf\xfe", 4);
	assert_memory_equal(config + FAKE_AER, "\x01\x00\x01\x14", 4);
	free(reply);
	/* By one call to the driver. */
	assert_int_equal(fake_client_lock()->block_reads, 1);
	fake_client_unlock();
}

static void test_unaligned_reads_are_split(void **state)
{
	unsigned char data[7];

	assert_int_equal(vu_client_read(*state, VFIO_PCI_CONFIG_REGION_INDEX, 1, data, 7), 0);
	assert_memory_equal(data, "\x1b\x10\x00\x03\x00\x10\x00", 7);
	assert_int_equal(vu_client_write(*state, VFIO_PCI_CONFIG_REGION_INDEX, 0x11,
				 "\xff\xff\xff\x01\x02", 5),
		0);
	assert_int_equal(vu_client_config(*state, 0x10, 4), 0xffffc004);
	assert_int_equal(vu_client_config(*state, 0x14, 4), 0x00000201);
}

static void test_the_next_client_finds_initial_values(void **state)
{
	vu_client_set_config(*state, 0x10, 4, 0xfebf0000);
	vu_client_set_config(*state, FAKE_MSIX + 2, 2, 0x8000);
	vu_client_set_config(*state, 4, 2, 0x0407);
	rig_disconnect(*state);
	rig_connect(*state);
	rig_negotiate(*state);
	assert_int_equal(vu_client_config(*state, 0x10, 4), 0x4);
	assert_int_equal(vu_client_config(*state, FAKE_MSIX + 2, 2), 0x0027);
	/* Both kinds of BARs can be accessed, and bus mastering is disabled. */
	assert_int_equal(vu_client_config(*state, 4, 2), 0x0003);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(rig_setup_negotiated, test_ids_are_those_of_the_device),
		ON(rig_setup_negotiated, test_emulated_registers_are_writable),
		ON(rig_setup_negotiated, test_read_only_registers_do_not_change),
		ON(rig_setup_negotiated, test_command_reaches_the_device_and_status_does_not),
		ON(rig_setup_negotiated, test_other_registers_are_forwarded),
		ON(rig_setup_negotiated, test_device_status_is_cleared_by_ones_alone),
		ON(rig_setup_negotiated, test_function_level_reset_resets),
		ON(rig_setup_negotiated, test_the_whole_space_is_read_by_one_message),
		ON(rig_setup_negotiated, test_unaligned_reads_are_split),
		ON(rig_setup_negotiated, test_the_next_client_finds_initial_values),
	};

	return cmocka_run_group_tests_name("vfio-user config space", tests, NULL, NULL);
}
