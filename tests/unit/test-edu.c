/* SPDX-License-Identifier: BSD-3-Clause */
/* The edu device, register by register. */
#include "common/pci-regs.h"
#include "provider/soft/edu/edu.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/provider-rig.h"

#include <string.h>

static struct provider_rig rig;

static uint32_t get(uint64_t offset)
{
	return (uint32_t)prig_read(&rig, 0, offset, 4);
}

static void set(uint64_t offset, uint32_t value)
{
	prig_write(&rig, 0, offset, 4, value);
}

static void test_identity(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0");
	assert_int_equal(prig_config_read(&rig, PCI_VENDOR_ID, 4), 0x11e81234);
	assert_int_equal(prig_config_read(&rig, PCI_REVISION_ID, 4), 0x00ff0010);
	assert_int_equal(prig_config_read(&rig, PCI_INTERRUPT_PIN, 1), 1);
	assert_true(rig.provider->bars[0].implemented);
	assert_int_equal(rig.provider->bars[0].size, 1 << 20);
	assert_int_equal(rig.provider->bars[0].type, 0);
	for (unsigned bar = 1; bar < DEXT_BARS; bar++)
		assert_false(rig.provider->bars[bar].implemented);
	prig_close(&rig);
}

static void test_no_memory_to_map(void **state)
{
	struct pci_bar_memory memory;

	(void)state;
	prig_open(&rig, "edu,addr=01:00.0");
	assert_int_equal(
		rig.provider->ops->bar_memory(rig.provider, 0, &memory), kIOReturnNotReady);
	prig_close(&rig);
}

static void test_identification_and_liveness(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0");
	assert_int_equal(get(EDU_IDENTIFICATION), 0x010000ed);
	set(EDU_IDENTIFICATION, 5);
	assert_int_equal(get(EDU_IDENTIFICATION), 0x010000ed);
	set(EDU_LIVENESS, 0x12345678);
	assert_int_equal(get(EDU_LIVENESS), 0xedcba987);
	prig_close(&rig);
}

static void test_access_sizes(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0");
	/* Below 0x80: accesses of 4 bytes only. */
	set(EDU_LIVENESS, 0);
	assert_int_equal(prig_read(&rig, 0, EDU_LIVENESS, 1), 0xff);
	assert_int_equal(prig_read(&rig, 0, EDU_IDENTIFICATION, 2), 0xffff);
	assert_int_equal(prig_read(&rig, 0, EDU_IDENTIFICATION, 8), UINT64_MAX);
	prig_write(&rig, 0, EDU_LIVENESS, 1, 0x55);
	assert_int_equal(get(EDU_LIVENESS), UINT32_MAX);
	/* From 0x80 on: 4 or 8 bytes. */
	prig_write(&rig, 0, EDU_DMA_SOURCE, 8, 0x123456789abcdef0);
	assert_int_equal(prig_read(&rig, 0, EDU_DMA_SOURCE, 8), 0x123456789abcdef0);
	assert_int_equal(get(EDU_DMA_SOURCE), 0x9abcdef0);
	assert_int_equal(prig_read(&rig, 0, EDU_DMA_SOURCE, 2), 0xffff);
	prig_write(&rig, 0, EDU_DMA_SOURCE, 2, 1);
	assert_int_equal(prig_read(&rig, 0, EDU_DMA_SOURCE, 8), 0x123456789abcdef0);
	set(EDU_DMA_SOURCE, 7);
	assert_int_equal(prig_read(&rig, 0, EDU_DMA_SOURCE, 8), 7);
	/* Undefined offsets and write-only registers. */
	assert_int_equal(get(0x0c), UINT32_MAX);
	assert_int_equal(get(EDU_INTERRUPT_RAISE), UINT32_MAX);
	assert_int_equal(get(EDU_DMA_SOURCE + 4), UINT32_MAX);
	assert_int_equal(get(0xa0), UINT32_MAX);
	assert_int_equal(get(EDU_BUFFER), UINT32_MAX);
	assert_int_equal(prig_read(&rig, 0, EDU_BAR_SIZE - 8, 8), UINT64_MAX);
	set(EDU_BAR_SIZE - 4, 1);
	prig_close(&rig);
}

static void test_factorial(void **state)
{
	static const struct {
		uint32_t value, factorial;
	} rows[] = {
		{ 0, 1 },
		{ 1, 1 },
		{ 5, 120 },
		{ 12, 479001600 },
		{ 13, 1932053504 },
		{ 33, 0x80000000 },
		{ 34, 0 },
		{ UINT32_MAX, 0 },
	};

	(void)state;
	prig_open(&rig, "edu,addr=01:00.0,delay=0");
	prig_irq_setup(&rig, DEXT_INTERRUPT_MSI, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		set(EDU_FACTORIAL, rows[i].value);
		prig_await(&rig, 0, EDU_STATUS, EDU_STATUS_COMPUTING, 0);
		assert_int_equal(get(EDU_FACTORIAL), rows[i].factorial);
	}
	assert_int_equal(prig_irq_total(&rig), 0);
	assert_int_equal(get(EDU_INTERRUPT_STATUS), 0);
	prig_close(&rig);
}

static void test_factorial_with_interrupt(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0");
	prig_irq_setup(&rig, DEXT_INTERRUPT_MSI, 1);
	set(EDU_STATUS, UINT32_MAX);
	assert_int_equal(get(EDU_STATUS), EDU_STATUS_INTERRUPT);
	set(EDU_FACTORIAL, 6);
	prig_await(&rig, 0, EDU_INTERRUPT_STATUS, UINT32_MAX, EDU_INTERRUPT_FACTORIAL);
	assert_int_equal(get(EDU_FACTORIAL), 720);
	assert_int_equal(get(EDU_STATUS), EDU_STATUS_INTERRUPT);
	assert_int_equal(prig_irq_total(&rig), 1);
	set(EDU_INTERRUPT_ACKNOWLEDGE, EDU_INTERRUPT_FACTORIAL);
	assert_int_equal(get(EDU_INTERRUPT_STATUS), 0);
	set(EDU_STATUS, 0);
	assert_int_equal(get(EDU_STATUS), 0);
	prig_close(&rig);
}

static void test_access_during_a_computation(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0,delay=60000");
	set(EDU_FACTORIAL, 6);
	set(EDU_STATUS, 0);
	assert_int_equal(get(EDU_STATUS), EDU_STATUS_COMPUTING);
	set(EDU_FACTORIAL, 7);
	assert_int_equal(get(EDU_FACTORIAL), 6);
	/* A reset stops the computation; a new one can be started. */
	assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
	assert_int_equal(get(EDU_STATUS), 0);
	assert_int_equal(get(EDU_FACTORIAL), 0);
	set(EDU_FACTORIAL, 8);
	assert_int_equal(get(EDU_STATUS), EDU_STATUS_COMPUTING);
	assert_int_equal(get(EDU_FACTORIAL), 8);
	prig_close(&rig);
}

static void test_raise_and_acknowledge(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0");
	prig_irq_setup(&rig, DEXT_INTERRUPT_INTX, 1);
	set(EDU_INTERRUPT_RAISE, 0);
	assert_int_equal(prig_irq_total(&rig), 0);
	set(EDU_INTERRUPT_RAISE, 0x10);
	set(EDU_INTERRUPT_RAISE, 0x80000001);
	assert_int_equal(get(EDU_INTERRUPT_STATUS), 0x80000011);
	assert_int_equal(prig_irq_total(&rig), 2);
	set(EDU_INTERRUPT_ACKNOWLEDGE, 0x11);
	assert_int_equal(get(EDU_INTERRUPT_STATUS), 0x80000000);
	set(EDU_INTERRUPT_ACKNOWLEDGE, UINT32_MAX);
	assert_int_equal(get(EDU_INTERRUPT_STATUS), 0);
	prig_close(&rig);
}

static void transfer(uint64_t source, uint64_t destination, uint64_t count, uint32_t command)
{
	prig_write(&rig, 0, EDU_DMA_SOURCE, 8, source);
	prig_write(&rig, 0, EDU_DMA_DESTINATION, 8, destination);
	prig_write(&rig, 0, EDU_DMA_COUNT, 8, count);
	set(EDU_DMA_COMMAND, command | EDU_COMMAND_START);
	prig_await(&rig, 0, EDU_DMA_COMMAND, EDU_COMMAND_START, 0);
}

static void fill(uint8_t *memory, size_t length, unsigned salt)
{
	for (size_t i = 0; i < length; i++)
		memory[i] = (uint8_t)(i * 13 + salt);
}

static void test_transfers(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0,delay=1");
	prig_irq_setup(&rig, DEXT_INTERRUPT_MSI, 1);
	fill(rig.memory, 4096, 1);
	transfer(rig.bus, EDU_BUFFER, 4096, 0);
	assert_int_equal(prig_irq_total(&rig), 0);
	transfer(EDU_BUFFER + 1, rig.bus + 8193, 4095,
		EDU_COMMAND_FROM_DEVICE | EDU_COMMAND_INTERRUPT);
	assert_memory_equal(rig.memory + 1, rig.memory + 8193, 4095);
	assert_int_equal(rig.memory[8192], 0);
	assert_int_equal(rig.memory[8193 + 4095], 0);
	prig_await(&rig, 0, EDU_INTERRUPT_STATUS, UINT32_MAX, EDU_INTERRUPT_DMA);
	assert_int_equal(prig_irq_total(&rig), 1);
	assert_int_equal(get(EDU_DMA_COMMAND), EDU_COMMAND_FROM_DEVICE | EDU_COMMAND_INTERRUPT);
	assert_int_equal(prig_faults(&rig), 0);
	prig_close(&rig);
}

static void test_access_during_a_transfer(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0,delay=60000");
	set(EDU_DMA_COMMAND, EDU_COMMAND_INTERRUPT); /* without EDU_COMMAND_START */
	assert_int_equal(get(EDU_DMA_COMMAND), 0);
	set(EDU_DMA_SOURCE, 0x40000);
	set(EDU_DMA_DESTINATION, (uint32_t)rig.bus);
	set(EDU_DMA_COUNT, 16);
	memset(rig.memory, 0xaa, 16);
	set(EDU_DMA_COMMAND, EDU_COMMAND_START | EDU_COMMAND_FROM_DEVICE);
	set(EDU_DMA_SOURCE, 1);
	set(EDU_DMA_COUNT, 1);
	set(EDU_DMA_COMMAND, EDU_COMMAND_START);
	assert_int_equal(get(EDU_DMA_SOURCE), 0x40000);
	assert_int_equal(get(EDU_DMA_COUNT), 16);
	assert_int_equal(get(EDU_DMA_COMMAND), EDU_COMMAND_START | EDU_COMMAND_FROM_DEVICE);
	assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
	assert_int_equal(get(EDU_DMA_COMMAND), 0);
	assert_int_equal(get(EDU_DMA_COUNT), 0);
	assert_int_equal(rig.memory[0], 0xaa);
	prig_close(&rig);
}

static void test_reset_clears_the_buffer(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0,delay=0");
	memset(rig.memory, 0x77, 4096);
	transfer(rig.bus, EDU_BUFFER, 4096, 0);
	assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
	prig_config_write(&rig, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	transfer(EDU_BUFFER, rig.bus, 4096, EDU_COMMAND_FROM_DEVICE);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(rig.memory[i], 0);
	prig_close(&rig);
}

static void test_the_mask_clamps(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0,delay=0");
	fill(rig.memory, 64, 9);
	transfer(rig.bus | UINT64_C(0xf000000010000000), EDU_BUFFER, 64, 0);
	transfer(EDU_BUFFER, (rig.bus + 64) | (UINT64_C(1) << 28), 64, EDU_COMMAND_FROM_DEVICE);
	assert_memory_equal(rig.memory, rig.memory + 64, 64);
	assert_int_equal(prig_faults(&rig), 0);
	prig_close(&rig);
	/* With a mask of 64 bits no memory is at the address. */
	prig_open(&rig, "edu,addr=01:00.0,delay=0,dma-mask=64");
	transfer(rig.bus | UINT64_C(0xf000000010000000), EDU_BUFFER, 64, 0);
	assert_int_equal(prig_faults(&rig), 1);
	prig_close(&rig);
}

static void test_invalid_transfers(void **state)
{
	static const struct {
		uint64_t source, destination, count;
		uint32_t command;
	} rows[] = {
		{ RIG_MEMORY_BUS, EDU_BUFFER - 1, 16, 0 },
		{ RIG_MEMORY_BUS, EDU_BUFFER, 4097, 0 },
		{ RIG_MEMORY_BUS, EDU_BUFFER + 4096, 1, 0 },
		{ RIG_MEMORY_BUS, EDU_BUFFER + 1, UINT64_MAX, 0 },
		{ EDU_BUFFER + 4090, RIG_MEMORY_BUS, 7, EDU_COMMAND_FROM_DEVICE },
		{ 0, RIG_MEMORY_BUS, 16, EDU_COMMAND_FROM_DEVICE },
		{ UINT64_MAX, RIG_MEMORY_BUS, UINT64_MAX, EDU_COMMAND_FROM_DEVICE },
	};

	(void)state;
	prig_open(&rig, "edu,addr=01:00.0,delay=0");
	prig_irq_setup(&rig, DEXT_INTERRUPT_MSI, 1);
	memset(rig.memory, 0x5a, 8192);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		transfer(rows[i].source, rows[i].destination, rows[i].count,
			rows[i].command | EDU_COMMAND_INTERRUPT);
		prig_await(&rig, 0, EDU_INTERRUPT_STATUS, UINT32_MAX, EDU_INTERRUPT_DMA);
		set(EDU_INTERRUPT_ACKNOWLEDGE, EDU_INTERRUPT_DMA);
		assert_int_equal(prig_irq_total(&rig), i + 1);
	}
	assert_int_equal(prig_faults(&rig), 0);
	for (unsigned i = 0; i < 8192; i++)
		assert_int_equal(rig.memory[i], 0x5a);
	prig_close(&rig);
}

static void test_master_aborts(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0,delay=0");
	transfer(rig.bus + RIG_MEMORY_SIZE - 15, EDU_BUFFER, 16, 0);
	assert_int_equal(prig_faults(&rig), 1);
	prig_config_write(&rig, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	transfer(rig.bus, EDU_BUFFER, 16, 0);
	assert_int_equal(prig_faults(&rig), 1); /* no request was issued */
	prig_close(&rig);
}

static void test_dart(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0,delay=0,dma=dart,dma-mask=64");
	assert_int_not_equal(rig.bus, RIG_MEMORY_BUS);
	fill(rig.memory, 256, 3);
	transfer(rig.bus, EDU_BUFFER, 256, 0);
	transfer(EDU_BUFFER, rig.bus + 4096, 256, EDU_COMMAND_FROM_DEVICE);
	assert_memory_equal(rig.memory, rig.memory + 4096, 256);
	prig_close(&rig);
}

static void test_kinds_of_reset(void **state)
{
	(void)state;
	prig_open(&rig, "edu,addr=01:00.0");
	assert_int_equal(prig_reset(&rig, PCI_RESET_FUNCTION), kIOReturnUnsupported);
	assert_int_equal(prig_reset(&rig, PCI_RESET_POWER), kIOReturnUnsupported);
	set(EDU_LIVENESS, 1);
	set(EDU_INTERRUPT_RAISE, 1);
	assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
	assert_int_equal(get(EDU_LIVENESS), 0);
	assert_int_equal(get(EDU_INTERRUPT_STATUS), 0);
	assert_int_equal(prig_config_read(&rig, PCI_COMMAND, 2), 0);
	prig_close(&rig);
}

static void test_specifications(void **state)
{
	(void)state;
	prig_refuses("edu,addr=01:00.0,dma-mask=0", "dma-mask=0 is not a number from 1 to 64");
	prig_refuses("edu,addr=01:00.0,dma-mask=65", "1 to 64");
	prig_refuses("edu,addr=01:00.0,delay=60001", "0 to 60000");
	prig_refuses("edu,addr=01:00.0,reset-timeout=0", "1 to 60000");
	prig_refuses("edu,addr=01:00.0,size=1M", "no key \"size\" (it has: addr,");
	prig_refuses("edu", "no address");
	prig_refuses("ede,addr=01:00.0", "no device type \"ede\" (there is: nvme, edu, odd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_no_memory_to_map),
		cmocka_unit_test(test_identification_and_liveness),
		cmocka_unit_test(test_access_sizes),
		cmocka_unit_test(test_factorial),
		cmocka_unit_test(test_factorial_with_interrupt),
		cmocka_unit_test(test_access_during_a_computation),
		cmocka_unit_test(test_raise_and_acknowledge),
		cmocka_unit_test(test_transfers),
		cmocka_unit_test(test_access_during_a_transfer),
		cmocka_unit_test(test_reset_clears_the_buffer),
		cmocka_unit_test(test_the_mask_clamps),
		cmocka_unit_test(test_invalid_transfers),
		cmocka_unit_test(test_master_aborts),
		cmocka_unit_test(test_dart),
		cmocka_unit_test(test_kinds_of_reset),
		cmocka_unit_test(test_specifications),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
