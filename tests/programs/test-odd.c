/* SPDX-License-Identifier: BSD-3-Clause */
/* BARs, interrupts, DMA and capability lists of the odd device. */
#include "common/pci-regs.h"
#include "tests/lib/asserts.h"
#include "tests/lib/irq-listener.h"
#include "tests/lib/odd-host.h"

#include <stdio.h>
#include <string.h>

static struct odd_host host;

/* --- BARs --- */

static void test_list_of_bars(void **state)
{
	static const struct {
		uint8_t bar, index, type;
		uint64_t size;
	} rows[] = {
		{ 0, 0, DEXT_BAR_IO, 256 },
		{ 1, 1, DEXT_BAR_PREFETCHABLE, 64 << 10 },
		{ 2, 2, DEXT_BAR_PREFETCHABLE | DEXT_BAR_MEM64, 1 << 20 },
		{ 4, 3, 0, 128 << 10 },
	};
	uint8_t index, type;
	uint64_t size;

	(void)state;
	odd_host_open(&host, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_ok(apple_dext_get_bar_info(
			host.connection, rows[i].bar, &index, &size, &type));
		assert_int_equal(index, rows[i].index);
		assert_int_equal(size, rows[i].size);
		assert_int_equal(type, rows[i].type);
		/* Its register in config space has the type, without an address. */
		assert_int_equal(odd_host_config(&host, 0x10 + 4u * rows[i].bar, 4), rows[i].type);
	}
	assert_int_equal(apple_dext_get_bar_info(host.connection, 3, &index, &size, &type),
		kIOReturnNotFound);
	assert_int_equal(apple_dext_get_bar_info(host.connection, 5, &index, &size, &type),
		kIOReturnNotFound);
	odd_host_close(&host);
}

static void test_io_bar(void **state)
{
	mach_vm_address_t address;
	mach_vm_size_t size;
	uint64_t value;

	(void)state;
	odd_host_open(&host, "");
	assert_int_equal(odd_host_config(&host, PCI_COMMAND, 2) & 7, 7); /* I/O space too */
	assert_int_equal(
		apple_dext_map_bar(host.connection, 0, &address, &size, NULL), kIOReturnNotReady);
	for (unsigned width = 1; width <= 4; width *= 2) {
		uint64_t written = UINT64_C(0xa1b2c3d4) >> (32 - 8 * width);

		assert_ok(apple_dext_mmio_write(host.connection, 0, 256 - width, width, written));
		assert_ok(apple_dext_mmio_read(host.connection, 0, 256 - width, width, &value));
		assert_int_equal(value, written);
	}
	assert_int_equal(
		apple_dext_mmio_read(host.connection, 0, 256, 1, &value), kIOReturnBadArgument);
	odd_host_close(&host);
}

static void check_mapped(uint8_t bar, uint8_t index)
{
	volatile uint32_t *words;
	mach_vm_address_t address;
	mach_vm_size_t size;
	uint64_t value;
	uint8_t type;

	assert_ok(apple_dext_map_bar(host.connection, bar, &address, &size, &type));
	assert_true(type & DEXT_BAR_PREFETCHABLE);
	words = (volatile uint32_t *)address;
	words[size / 4 - 1] = 0x12345678;
	assert_ok(apple_dext_mmio_read(host.connection, index, size - 4, 4, &value));
	assert_int_equal(value, 0x12345678);
	assert_ok(apple_dext_mmio_write(host.connection, index, 0, 8, 0x1122334455667788));
	assert_int_equal(words[0], 0x55667788);
	assert_int_equal(words[1], 0x11223344);
	assert_ok(apple_dext_unmap_bar(host.connection, bar, address));
}

static void test_memory_bars(void **state)
{
	mach_vm_address_t address;
	mach_vm_size_t size;

	(void)state;
	odd_host_open(&host, "");
	check_mapped(1, 1);
	check_mapped(2, 2);
	assert_int_equal(
		apple_dext_map_bar(host.connection, 4, &address, &size, NULL), kIOReturnNotReady);
	assert_int_equal(
		apple_dext_map_bar(host.connection, 3, &address, &size, NULL), kIOReturnNotFound);
	assert_int_equal(odd_host_get(&host, ODD_IDENTITY, 4), ODD_IDENTITY_VALUE);
	odd_host_close(&host);
}

static void test_stall(void **state)
{
	(void)state;
	odd_host_open(&host, "");
	odd_host_set(&host, ODD_STALL, 4, 200);
	assert_int_equal(odd_host_get(&host, ODD_STALL, 4), 200);
	assert_int_equal(odd_host_get(&host, ODD_IDENTITY, 4), ODD_IDENTITY_VALUE);
	odd_host_close(&host);
}

/* --- Interrupts --- */

static void test_256_vectors(void **state)
{
	const uint64_t all[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	struct irq_listener listener;
	uint32_t vectors;

	(void)state;
	odd_host_open(&host, "");
	assert_ok(apple_dext_setup_interrupts(host.connection, &vectors));
	assert_int_equal(vectors, 256);
	assert_true(irq_listen(&listener, host.connection));
	for (unsigned vector = 0; vector < 256; vector++) {
		odd_host_set(&host, ODD_RAISE, 4, vector);
		if (vector % 17 == 0)
			assert_true(irq_wait_one(&listener, vector));
	}
	for (unsigned vector = 0; vector < 256; vector += 17)
		odd_host_set(&host, ODD_RAISE, 4, vector);
	assert_true(irq_wait(&listener, all));
	irq_listen_end(&listener);
	odd_host_close(&host);
}

static void test_the_mask_drops(void **state)
{
	const uint64_t all[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	const uint64_t most[4] = { UINT64_MAX, ~UINT64_C(2), UINT64_MAX, UINT64_MAX >> 1 };
	uint64_t pending[4];

	(void)state;
	odd_host_open(&host, "");
	assert_ok(apple_dext_setup_interrupts(host.connection, NULL));
	assert_ok(apple_dext_set_irq_mask(host.connection, most));
	for (unsigned vector = 0; vector < 256; vector++)
		odd_host_set(&host, ODD_RAISE, 4, vector);
	assert_ok(apple_dext_set_irq_mask(host.connection, all));
	assert_ok(apple_dext_read_pending_irqs(host.connection, pending));
	assert_memory_equal(pending, most, sizeof(most));
	/* A dropped interrupt is not delivered later; a new one is. */
	odd_host_set(&host, ODD_RAISE, 4, 255);
	assert_ok(apple_dext_read_pending_irqs(host.connection, pending));
	assert_int_equal(pending[1], 0);
	assert_int_equal(pending[3], UINT64_C(1) << 63);
	odd_host_close(&host);
}

static void test_kinds_of_interrupts(void **state)
{
	static const struct {
		const char *keys;
		kern_return_t status;
		uint32_t vectors, kind;
	} rows[] = {
		{ "irq=none", kIOReturnUnsupported, 0, DEXT_INTERRUPT_NONE },
		{ "irq=intx", kIOReturnSuccess, 1, DEXT_INTERRUPT_INTX },
		{ "irq=msi,vectors=8", kIOReturnSuccess, 8, DEXT_INTERRUPT_MSI },
		{ "vectors=3", kIOReturnSuccess, 3, DEXT_INTERRUPT_MSIX },
		{ "vectors=2048", kIOReturnSuccess, 256, DEXT_INTERRUPT_MSIX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AppleDextStatus status;
		uint64_t pending[4];
		uint32_t vectors = 0;

		odd_host_open(&host, rows[i].keys);
		assert_int_equal(
			apple_dext_setup_interrupts(host.connection, &vectors), rows[i].status);
		assert_int_equal(vectors, rows[i].vectors);
		assert_ok(apple_dext_get_status(host.connection, &status));
		assert_int_equal(status.interrupt_kind, rows[i].kind);
		if (vectors) {
			unsigned last = vectors - 1;

			odd_host_set(&host, ODD_RAISE, 4, last);
			assert_ok(apple_dext_read_pending_irqs(host.connection, pending));
			assert_int_equal(pending[last / 64], UINT64_C(1) << last % 64);
		}
		odd_host_close(&host);
	}
}

/* --- DMA --- */

static void test_dma(void **state)
{
	static const char *const keys[] = { "", "dma=dart" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint64_t word;

		odd_host_open(&host, keys[i]);
		odd_host_add_memory(&host);
		assert_int_equal(host.bus == ODD_HOST_IOVA, i == 0);
		for (unsigned j = 0; j < 20000; j++)
			host.memory[j] = (uint8_t)(j * 3 + j / 256);
		assert_int_equal(odd_host_transfer(&host, host.bus, host.bus + 30000, 20000, 0),
			ODD_DMA_DONE);
		assert_memory_equal(host.memory, host.memory + 30000, 20000);
		assert_int_equal(odd_host_transfer(&host, host.bus, 8, 8, ODD_CONTROL_TO_BUFFER),
			ODD_DMA_DONE);
		assert_ok(apple_dext_mmio_read(host.connection, 1, 8, 8, &word));
		assert_memory_equal(&word, host.memory, 8);
		assert_int_equal(odd_host_transfer(&host, 0x1000, host.bus, 16, 0),
			ODD_DMA_DONE | ODD_DMA_FAILED);
		odd_host_close(&host);
	}
}

/* --- Capability lists --- */

static void test_broken_lists(void **state)
{
	static const char *const kinds[] = { "sane", "loop", "self", "header", "end" };
	static const char *const interrupts[] = { "intx", "msi", "msix" };
	static const uint32_t counts[] = { 1, 32, 256 };

	(void)state;
	for (size_t i = 0; i < 5 * 3; i++) {
		unsigned char block[DEXT_CONFIG_SIZE];
		char keys[64];
		uint32_t vectors;

		snprintf(keys, sizeof(keys), "irq=%s,caps=%s", interrupts[i % 3], kinds[i / 3]);
		odd_host_open(&host, keys);
		assert_ok(apple_dext_setup_interrupts(host.connection, &vectors));
		assert_int_equal(vectors, counts[i % 3]);
		assert_ok(apple_dext_config_read_block(host.connection, 0, block, sizeof(block)));
		assert_int_equal(block[PCI_CAPABILITY_LIST], 0x40);
		/* Save and restore of config space use the list, too. */
		assert_ok(apple_dext_reset_device(host.connection));
		assert_int_equal(odd_host_config(&host, PCI_COMMAND, 2) & 7, 7);
		odd_host_close(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_of_bars),
		cmocka_unit_test(test_io_bar),
		cmocka_unit_test(test_memory_bars),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_256_vectors),
		cmocka_unit_test(test_the_mask_drops),
		cmocka_unit_test(test_kinds_of_interrupts),
		cmocka_unit_test(test_dma),
		cmocka_unit_test(test_broken_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
