/* SPDX-License-Identifier: BSD-3-Clause */
/* A software device's config space: what a write does to each bit, capabilities, resets. */
#include "common/pci-regs.h"
#include "provider/soft/config.h"
#include "tests/lib/cmocka-all.h"

static struct soft_config config;

static int setup(void **state)
{
	(void)state;
	soft_config_init(&config);
	return 0;
}

static void test_values_are_little_endian(void **state)
{
	(void)state;
	soft_config_set(&config, 0x40, 4, 0x12345678);
	assert_int_equal(config.value[0x40], 0x78);
	assert_int_equal(config.value[0x43], 0x12);
	assert_int_equal(soft_config_get(&config, 0x40, 4), 0x12345678);
	assert_int_equal(soft_config_get(&config, 0x41, 2), 0x3456);
	soft_config_set(&config, DEXT_CONFIG_SIZE - 1, 1, 0xee);
	assert_int_equal(soft_config_get(&config, DEXT_CONFIG_SIZE - 4, 4), 0xee000000);
}

static void test_only_writable_bits_are_written(void **state)
{
	(void)state;
	soft_config_set(&config, 0x40, 4, 0xaaaaaaaa);
	soft_config_set_writable(&config, 0x40, 4, 0x00ff0ff0);
	soft_config_write(&config, 0x40, 4, 0x55555555);
	assert_int_equal(soft_config_get(&config, 0x40, 4), 0xaa55a55a);
	soft_config_write(&config, 0x41, 1, 0xff);
	assert_int_equal(soft_config_get(&config, 0x40, 4), 0xaa55af5a);
}

static void test_bits_that_writing_one_clears(void **state)
{
	(void)state;
	soft_config_set(&config, PCI_STATUS, 2, 0xf910);
	soft_config_write(&config, PCI_STATUS, 2, 0x8000);
	assert_int_equal(soft_config_get(&config, PCI_STATUS, 2), 0x7910);
	soft_config_write(&config, PCI_STATUS, 2, 0);
	assert_int_equal(soft_config_get(&config, PCI_STATUS, 2), 0x7910);
	soft_config_write(&config, PCI_STATUS, 2, 0xffff);
	assert_int_equal(soft_config_get(&config, PCI_STATUS, 2), 0x0010);
}

/* A 32-bit write of COMMAND and STATUS clears no error bit by accident. */
static void test_command_and_status_together(void **state)
{
	(void)state;
	soft_config_set(&config, PCI_STATUS, 2, 0x8010);
	soft_config_write(&config, PCI_COMMAND, 4, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(soft_config_get(&config, PCI_STATUS, 2), 0x8010);
	assert_int_equal(
		soft_config_get(&config, PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	soft_config_write(&config, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(soft_config_get(&config, PCI_COMMAND, 2), 0x0547);
}

static void test_identity_cannot_be_written(void **state)
{
	(void)state;
	soft_config_set(&config, PCI_VENDOR_ID, 4, 0x00101b36);
	soft_config_write(&config, PCI_VENDOR_ID, 4, 0xffffffff);
	assert_int_equal(soft_config_get(&config, PCI_VENDOR_ID, 4), 0x00101b36);
}

static void test_capabilities_make_a_list(void **state)
{
	unsigned first, second, third;

	(void)state;
	assert_int_equal(soft_config_find(&config, PCI_CAP_ID_PM), 0);
	first = soft_config_add_capability(&config, PCI_CAP_ID_PM, 8);
	second = soft_config_add_capability(&config, PCI_CAP_ID_MSI, 14);
	third = soft_config_add_capability(&config, PCI_CAP_ID_MSIX, 12);
	assert_int_equal(first, 0x40);
	assert_int_equal(second, 0x48);
	assert_int_equal(third, 0x58); /* aligned */
	assert_int_equal(config.value[PCI_CAPABILITY_LIST], first);
	assert_int_equal(config.value[first + 1], second);
	assert_int_equal(config.value[second + 1], third);
	assert_int_equal(config.value[third + 1], 0);
	assert_true(config.value[PCI_STATUS] & PCI_STATUS_CAP_LIST);
	assert_int_equal(soft_config_find(&config, PCI_CAP_ID_MSIX), third);
	assert_int_equal(soft_config_find(&config, PCI_CAP_ID_EXP), 0);
}

static void test_a_reset_restores_the_sealed_values(void **state)
{
	(void)state;
	soft_config_set(&config, PCI_VENDOR_ID, 4, 0x00101b36);
	soft_config_seal(&config);
	soft_config_write(&config, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	soft_config_write(&config, PCI_INTERRUPT_LINE, 1, 9);
	soft_config_reset(&config);
	assert_int_equal(soft_config_get(&config, PCI_COMMAND, 2), 0);
	assert_int_equal(soft_config_get(&config, PCI_INTERRUPT_LINE, 1), 0);
	assert_int_equal(soft_config_get(&config, PCI_VENDOR_ID, 4), 0x00101b36);
	/* The write masks still apply. */
	soft_config_write(&config, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(soft_config_get(&config, PCI_COMMAND, 2), PCI_COMMAND_MASTER);
}

#define EACH(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_values_are_little_endian),
		EACH(test_only_writable_bits_are_written),
		EACH(test_bits_that_writing_one_clears),
		EACH(test_command_and_status_together),
		EACH(test_identity_cannot_be_written),
		EACH(test_capabilities_make_a_list),
		EACH(test_a_reset_restores_the_sealed_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
