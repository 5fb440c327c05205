/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resets of software devices: each kind, by the provider's call and by config space, failing
 * resets, and a device that is not ready for a while, or never.
 */
#include "driver/internal.h"
#include "common/pci-regs.h"
#include "provider/soft/odd/odd.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/provider-rig.h"

#include <stdio.h>

#define REGISTERS ODD_BAR_REGISTERS
#define ODD	  "odd,addr=01:00.0"

static struct provider_rig rig;

static uint32_t get(uint64_t offset)
{
	return (uint32_t)prig_read(&rig, REGISTERS, offset, 4);
}

static void set(uint64_t offset, uint32_t value)
{
	prig_write(&rig, REGISTERS, offset, 4, value);
}

static void test_kinds_of_reset(void **state)
{
	static const struct {
		const char *keys;
		kern_return_t results[PCI_RESET_KINDS];
		uint32_t resets, log;
	} rows[] = {
		{ "flr=on", { kIOReturnSuccess, kIOReturnSuccess, kIOReturnSuccess }, 3, 0x123 },
		{ "reset-timeout=1", { kIOReturnUnsupported, kIOReturnSuccess, kIOReturnSuccess },
			2, 0x23 },
		{ "flr=fail,hot-reset=off,power-reset=on",
			{ kIOReturnDeviceError, kIOReturnUnsupported, kIOReturnSuccess }, 1, 0x13 },
		{ "flr=on,hot-reset=fail,power-reset=off",
			{ kIOReturnSuccess, kIOReturnDeviceError, kIOReturnUnsupported }, 1, 0x12 },
		{ "flr=off,hot-reset=off,power-reset=fail",
			{ kIOReturnUnsupported, kIOReturnUnsupported, kIOReturnDeviceError }, 0,
			3 },
		{ "flr=on,reset-time=5", { kIOReturnSuccess, kIOReturnSuccess, kIOReturnSuccess },
			3, 0x123 },
		/* After a hot reset, the reset through config space works again. */
		{ "flr=hang,reset-timeout=1",
			{ kIOReturnTimeout, kIOReturnSuccess, kIOReturnSuccess }, 3, 0x123 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char spec[128];

		snprintf(spec, sizeof(spec), ODD ",%s", rows[i].keys);
		prig_open(&rig, spec);
		for (unsigned kind = 0; kind < PCI_RESET_KINDS; kind++)
			assert_int_equal(
				prig_reset(&rig, (enum pci_reset)kind), rows[i].results[kind]);
		assert_int_equal(get(ODD_RESETS), rows[i].resets);
		assert_int_equal(get(ODD_RESET_LOG), rows[i].log);
		prig_close(&rig);
	}
}

static void test_state_that_a_reset_clears(void **state)
{
	(void)state;
	prig_open(&rig, ODD);
	set(ODD_SCRATCH, 1);
	prig_write(&rig, ODD_BAR_IO, 0, 1, 1);
	prig_write(&rig, ODD_BAR_BUFFER, 0, 1, 1);
	prig_write(&rig, ODD_BAR_MEMORY, 0, 1, 1);
	prig_config_write(&rig, PCI_INTERRUPT_LINE, 1, 9);
	assert_int_equal(prig_reset(&rig, PCI_RESET_POWER), kIOReturnSuccess);
	assert_int_equal(get(ODD_SCRATCH), 0);
	assert_int_equal(prig_read(&rig, ODD_BAR_IO, 0, 1), 0);
	assert_int_equal(prig_read(&rig, ODD_BAR_BUFFER, 0, 1), 0);
	assert_int_equal(prig_read(&rig, ODD_BAR_MEMORY, 0, 1), 0);
	assert_int_equal(prig_config_read(&rig, PCI_INTERRUPT_LINE, 1), 0);
	assert_int_equal(get(ODD_RESETS), 1);
	prig_close(&rig);
}

static void test_a_reset_that_failed_changes_nothing(void **state)
{
	(void)state;
	prig_open(&rig, ODD ",hot-reset=fail");
	set(ODD_SCRATCH, 1);
	assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnDeviceError);
	assert_int_equal(get(ODD_SCRATCH), 1);
	assert_int_equal(prig_config_read(&rig, PCI_COMMAND, 2), 7);
	prig_close(&rig);
}

static void assert_silent(void)
{
	assert_int_equal(prig_config_read(&rig, PCI_VENDOR_ID, 4), UINT32_MAX);
	assert_int_equal(prig_config_read(&rig, PCI_COMMAND, 2), UINT16_MAX);
	assert_int_equal(prig_read(&rig, REGISTERS, ODD_IDENTITY, 8), UINT64_MAX);
	assert_int_equal(prig_read(&rig, ODD_BAR_IO, 0, 1), UINT8_MAX);
	prig_config_write(&rig, PCI_COMMAND, 2, 7);
	set(ODD_SCRATCH, 5);
}

static void test_a_device_that_is_never_ready(void **state)
{
	(void)state;
	prig_open(&rig, ODD ",flr=on,reset-time=never,reset-timeout=10");
	for (unsigned kind = 0; kind < PCI_RESET_KINDS; kind++) {
		assert_int_equal(prig_reset(&rig, (enum pci_reset)kind), kIOReturnTimeout);
		assert_silent();
	}
	prig_close(&rig);
	/* A hot reset recovers it; writes during the failure are discarded. */
	prig_open(&rig, ODD ",power-reset=hang,reset-timeout=10");
	assert_int_equal(prig_reset(&rig, PCI_RESET_POWER), kIOReturnTimeout);
	assert_silent();
	assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
	assert_int_equal(prig_config_read(&rig, PCI_COMMAND, 2), 0);
	assert_int_equal(get(ODD_SCRATCH), 0);
	assert_int_equal(get(ODD_RESET_LOG), 0x32);
	prig_close(&rig);
}

/* Reset through a register of a capability, as a guest or a client does. */
static void reset_by_config(unsigned kind)
{
	unsigned pm = dext_find_capability(rig.provider, PCI_CAP_ID_PM);
	unsigned pcie = dext_find_capability(rig.provider, PCI_CAP_ID_EXP);

	if (kind == PCI_RESET_FUNCTION) {
		prig_config_write(&rig, pcie + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
		return;
	}
	prig_config_write(&rig, pm + PCI_PM_CTRL, 2, 3);
	prig_config_write(&rig, pm + PCI_PM_CTRL, 2, 0);
}

static void test_resets_by_config_space(void **state)
{
	static const struct {
		const char *keys;
		unsigned kind;
		uint32_t resets, log;
	} rows[] = {
		{ "flr=on", PCI_RESET_FUNCTION, 1, 1 },
		{ "flr=off", PCI_RESET_FUNCTION, 0, 0 },
		{ "flr=fail", PCI_RESET_FUNCTION, 0, 1 },
		{ "power-reset=on", PCI_RESET_POWER, 1, 3 },
		{ "power-reset=off", PCI_RESET_POWER, 0, 0 },
		{ "power-reset=fail", PCI_RESET_POWER, 0, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char spec[64];

		snprintf(spec, sizeof(spec), ODD ",%s", rows[i].keys);
		prig_open(&rig, spec);
		set(ODD_SCRATCH, 1);
		reset_by_config(rows[i].kind);
		assert_int_equal(get(ODD_RESETS), rows[i].resets);
		assert_int_equal(get(ODD_RESET_LOG), rows[i].log);
		assert_int_equal(get(ODD_SCRATCH), !rows[i].resets);
		assert_int_equal(prig_config_read(&rig, PCI_COMMAND, 2), rows[i].resets ? 0 : 7);
		prig_close(&rig);
	}
}

static void test_not_ready_after_config_space(void **state)
{
	(void)state;
	prig_open(&rig, ODD ",flr=on,reset-time=60000,reset-timeout=10");
	reset_by_config(PCI_RESET_FUNCTION);
	assert_silent();
	/* The reset through config space cannot be requested meanwhile. */
	assert_int_equal(prig_reset(&rig, PCI_RESET_FUNCTION), kIOReturnTimeout);
	assert_int_equal(prig_reset(&rig, PCI_RESET_POWER), kIOReturnTimeout);
	prig_close(&rig);
	/* With a reset time, the request is executed after the reset in progress. */
	prig_open(&rig, ODD ",flr=on,reset-time=20");
	reset_by_config(PCI_RESET_FUNCTION);
	assert_int_equal(prig_reset(&rig, PCI_RESET_POWER), kIOReturnSuccess);
	assert_int_equal(get(ODD_RESETS), 2);
	assert_int_equal(get(ODD_RESET_LOG), 0x13);
	prig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_of_reset),
		cmocka_unit_test(test_state_that_a_reset_clears),
		cmocka_unit_test(test_a_reset_that_failed_changes_nothing),
		cmocka_unit_test(test_a_device_that_is_never_ready),
		cmocka_unit_test(test_resets_by_config_space),
		cmocka_unit_test(test_not_ready_after_config_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
