/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resets through the driver: their order, resets that are missing, fail or time out, and state
 * that survives them.
 */
#include "common/pci-regs.h"
#include "tests/lib/asserts.h"
#include "tests/lib/irq-listener.h"
#include "tests/lib/odd-host.h"

#include <string.h>
#include <time.h>

static struct odd_host host;

static void test_the_order(void **state)
{
	static const struct {
		const char *keys;
		kern_return_t status;
		uint32_t resets, log; /* 1: FLR, 2: hot, 3: power */
	} rows[] = {
		{ "flr=on", kIOReturnSuccess, 1, 0x1 },
		{ "", kIOReturnSuccess, 1, 0x2 },
		{ "flr=fail", kIOReturnSuccess, 1, 0x12 },
		{ "hot-reset=off", kIOReturnSuccess, 1, 0x3 },
		{ "flr=fail,hot-reset=off", kIOReturnSuccess, 1, 0x13 },
		{ "hot-reset=fail", kIOReturnSuccess, 1, 0x23 },
		{ "flr=fail,hot-reset=fail", kIOReturnSuccess, 1, 0x123 },
		{ "flr=on,reset-time=20", kIOReturnSuccess, 1, 0x1 },
		/* The reset took effect, but did not end until the hot reset. */
		{ "flr=hang,reset-timeout=20", kIOReturnSuccess, 2, 0x12 },
		{ "hot-reset=off,power-reset=off", kIOReturnUnsupported, 0, 0 },
		{ "flr=fail,hot-reset=off,power-reset=off", kIOReturnDeviceError, 0, 0x1 },
		{ "flr=fail,hot-reset=fail,power-reset=fail", kIOReturnDeviceError, 0, 0x123 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AppleDextStatus status;

		odd_host_open(&host, rows[i].keys);
		odd_host_set(&host, ODD_SCRATCH, 4, 0x5555);
		assert_int_equal(apple_dext_reset_device(host.connection), rows[i].status);
		assert_int_equal(odd_host_get(&host, ODD_RESETS, 4), rows[i].resets);
		assert_int_equal(odd_host_get(&host, ODD_RESET_LOG, 4), rows[i].log);
		assert_int_equal(odd_host_get(&host, ODD_SCRATCH, 4), rows[i].resets ? 0 : 0x5555);
		/* In each case the device is usable afterwards. */
		assert_int_equal(odd_host_config(&host, PCI_COMMAND, 2) & 7, 7);
		assert_ok(apple_dext_get_status(host.connection, &status));
		assert_int_equal(status.resets, rows[i].status == kIOReturnSuccess);
		odd_host_close(&host);
	}
}

static void test_config_is_restored(void **state)
{
	static const char *const keys[] = { "flr=on", "flr=off", "hot-reset=off",
		"flr=hang,reset-timeout=20" };
	/* The offsets of the capabilities are fixed. MSI-X: enabled, function masked. */
	static const struct {
		unsigned offset, width, value;
	} registers[] = {
		{ PCI_INTERRUPT_LINE, 1, 11 },
		{ PCI_CACHE_LINE_SIZE, 1, 16 },
		{ 0x48 + PCI_EXP_DEVCTL, 2, 0x2850 },
		{ 0x48 + PCI_EXP_LNKCTL, 2, 0x0042 },
		{ 0x84 + PCI_MSIX_FLAGS, 2, 0xc0ff },
		{ PCI_COMMAND, 2, 0x0547 },
	};
	const size_t count = sizeof(registers) / sizeof(*registers);

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		odd_host_open(&host, keys[i]);
		for (size_t j = 0; j < count; j++)
			assert_ok(apple_dext_config_write(host.connection, registers[j].offset,
				registers[j].width, registers[j].value));
		assert_ok(apple_dext_reset_device(host.connection));
		assert_int_not_equal(odd_host_get(&host, ODD_RESETS, 4), 0);
		for (size_t j = 0; j < count; j++)
			assert_int_equal(
				odd_host_config(&host, registers[j].offset, registers[j].width),
				registers[j].value);
		odd_host_close(&host);
	}
}

static void test_interrupts_and_memory_survive(void **state)
{
	static const char *const keys[] = { "flr=on", "flr=fail", "hot-reset=off",
		"flr=on,reset-time=20", "flr=hang,reset-timeout=20", "dma=dart" };

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct irq_listener listener;

		odd_host_open(&host, keys[i]);
		odd_host_add_memory(&host);
		assert_ok(apple_dext_setup_interrupts(host.connection, NULL));
		assert_true(irq_listen(&listener, host.connection));
		for (unsigned round = 0; round < 3; round++) {
			assert_ok(apple_dext_reset_device(host.connection));
			assert_false(irq_seen(&listener, 200));
			memset(host.memory, 0x10 + (int)round, 100);
			assert_int_equal(
				odd_host_transfer(&host, host.bus, host.bus + 5000, 100,
					ODD_CONTROL_RAISE | 200u << ODD_CONTROL_VECTOR_SHIFT),
				ODD_DMA_DONE);
			assert_memory_equal(host.memory, host.memory + 5000, 100);
			assert_true(irq_wait_one(&listener, 200));
		}
		irq_listen_end(&listener);
		odd_host_close(&host);
	}
}

/*
 * No reset recovers the device: a timeout; then it does not respond, and clients can still
 * disconnect.
 */
static void test_device_not_recovered(void **state)
{
	static const char *const keys[] = { "flr=on,reset-time=never,reset-timeout=20",
		"flr=hang,hot-reset=hang,power-reset=hang,reset-timeout=20",
		"flr=hang,hot-reset=off,reset-timeout=20" };

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		io_connect_t other;
		AppleDextStatus status;

		odd_host_open(&host, keys[i]);
		odd_host_add_memory(&host);
		assert_ok(apple_dext_setup_interrupts(host.connection, NULL));
		assert_int_equal(apple_dext_reset_device(host.connection), kIOReturnTimeout);
		assert_int_equal(odd_host_config(&host, PCI_VENDOR_ID, 4), UINT32_MAX);
		assert_int_equal(odd_host_get(&host, ODD_IDENTITY, 4), UINT32_MAX);
		assert_int_equal(apple_dext_reset_device(host.connection), kIOReturnTimeout);
		assert_ok(apple_dext_unregister_dma(host.connection, ODD_HOST_IOVA));
		other = apple_dext_connect(1, 0, 0);
		assert_int_not_equal(other, IO_OBJECT_NULL);
		assert_ok(apple_dext_get_status(other, &status));
		assert_int_equal(status.claims, 1);
		assert_int_equal(status.resets, 0);
		apple_dext_disconnect(other);
		odd_host_close(&host);
	}
}

/* Ready only after the timeout: the saved state is restored by the next call. */
static void test_late(void **state)
{
	(void)state;
	odd_host_open(&host, "flr=on,reset-time=300,reset-timeout=20,hot-reset=off");
	assert_ok(apple_dext_config_write(host.connection, PCI_INTERRUPT_LINE, 1, 11));
	assert_int_equal(apple_dext_reset_device(host.connection), kIOReturnTimeout);
	while (odd_host_config(&host, PCI_VENDOR_ID, 2) == UINT16_MAX)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	assert_int_equal(odd_host_config(&host, PCI_INTERRUPT_LINE, 1), 11);
	assert_int_equal(odd_host_config(&host, PCI_COMMAND, 2) & 6, 6);
	odd_host_close(&host);
}

/* A reset call during a reset that the client started through config space. */
static void test_two_concurrent_resets(void **state)
{
	uint64_t control;

	(void)state;
	odd_host_open(&host, "flr=on,reset-time=50");
	control = odd_host_config(&host, 0x48 + PCI_EXP_DEVCTL, 2);
	assert_ok(apple_dext_config_write(
		host.connection, 0x48 + PCI_EXP_DEVCTL, 2, control | PCI_EXP_DEVCTL_BCR_FLR));
	assert_ok(apple_dext_reset_device(host.connection));
	/* The state that was saved is that after the client's own reset: of power-on. */
	assert_int_equal(odd_host_config(&host, PCI_COMMAND, 2), 0);
	assert_int_equal(odd_host_config(&host, PCI_INTERRUPT_LINE, 1), 0);
	odd_host_close(&host);
}

/*
 * The last claim ends: a reset of any kind that works, and the next client finds no earlier state.
 */
static void test_the_next_client_finds_no_earlier_state(void **state)
{
	io_connect_t first;
	AppleDextStatus status;
	uint64_t value;

	(void)state;
	odd_host_open(&host, "flr=fail,hot-reset=off");
	odd_host_set(&host, ODD_SCRATCH, 4, 1);
	assert_ok(apple_dext_mmio_write(host.connection, 2, 0, 4, 1));
	assert_ok(apple_dext_config_write(host.connection, PCI_INTERRUPT_LINE, 1, 4));
	first = host.connection;
	host.connection = apple_dext_connect(1, 0, 0);
	apple_dext_disconnect(first);
	do
		assert_ok(apple_dext_get_status(host.connection, &status));
	while (status.claims);
	assert_int_equal(odd_host_config(&host, PCI_COMMAND, 2) & 7, 0);
	assert_ok(apple_dext_claim(host.connection));
	assert_int_equal(odd_host_get(&host, ODD_RESETS, 4), 1);
	assert_int_equal(odd_host_get(&host, ODD_RESET_LOG, 4), 0x13);
	assert_int_equal(odd_host_get(&host, ODD_SCRATCH, 4), 0);
	assert_ok(apple_dext_mmio_read(host.connection, 2, 0, 4, &value));
	assert_int_equal(value, 0);
	odd_host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_order),
		cmocka_unit_test(test_config_is_restored),
		cmocka_unit_test(test_interrupts_and_memory_survive),
		cmocka_unit_test(test_device_not_recovered),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_two_concurrent_resets),
		cmocka_unit_test(test_the_next_client_finds_no_earlier_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
