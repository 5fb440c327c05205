/* SPDX-License-Identifier: BSD-3-Clause */
/* The odd device: its unusual properties as a driver sees them. Resets: test-odd-reset.c. */
#include "driver/internal.h"
#include "common/pci-regs.h"
#include "provider/soft/odd/odd.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/provider-rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

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

/* --- BARs --- */

static void test_bars(void **state)
{
	static const struct pci_bar expected[DEXT_BARS] = {
		{ true, DEXT_BAR_IO, 256 },
		{ true, DEXT_BAR_PREFETCHABLE, 64 << 10 },
		{ true, DEXT_BAR_PREFETCHABLE | DEXT_BAR_MEM64, 1 << 20 },
		{ false, 0, 0 },
		{ true, 0, 128 << 10 },
		{ false, 0, 0 },
	};
	static const uint32_t masks[DEXT_BARS] = { 0xffffff01, 0xffff0008, 0xfff0000c, 0xffffffff,
		0xfffe0000, 0 };
	static const bool can_be_mapped[DEXT_BARS] = { false, true, true, false, false, false };

	(void)state;
	prig_open(&rig, ODD);
	for (unsigned bar = 0; bar < DEXT_BARS; bar++) {
		const struct pci_bar *found = &rig.provider->bars[bar];
		struct pci_bar_memory memory;

		assert_int_equal(found->implemented, expected[bar].implemented);
		assert_int_equal(found->type, expected[bar].type);
		assert_int_equal(found->size, expected[bar].size);
		assert_int_equal(rig.provider->ops->bar_memory(rig.provider, bar, &memory),
			can_be_mapped[bar] ? kIOReturnSuccess : kIOReturnNotReady);
		if (can_be_mapped[bar])
			rig.provider->ops->bar_unmapped(rig.provider, bar);
		/* Size detection: all ones written to the BAR. */
		prig_config_write(&rig, PCI_BASE_ADDRESS_0 + 4 * bar, 4, UINT32_MAX);
		assert_int_equal(
			prig_config_read(&rig, PCI_BASE_ADDRESS_0 + 4 * bar, 4), masks[bar]);
	}
	prig_close(&rig);
}

static void test_memory_by_call_and_mapped(void **state)
{
	static const unsigned bars[] = { ODD_BAR_BUFFER, ODD_BAR_MEMORY };

	(void)state;
	prig_open(&rig, ODD);
	for (size_t i = 0; i < 2; i++) {
		size_t size = (size_t)rig.provider->bars[bars[i]].size;
		struct pci_bar_memory found;
		uint8_t *memory;

		rig.provider->ops->bar_memory(rig.provider, bars[i], &found);
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, found.fd,
			(off_t)found.offset);
		assert_ptr_not_equal(memory, MAP_FAILED);
		prig_write(&rig, bars[i], size - 8, 8, 0x8877665544332211);
		assert_int_equal(memory[size - 1], 0x88);
		memory[size - 8] = 0x99;
		assert_int_equal(prig_read(&rig, bars[i], size - 8, 4), 0x44332299);
		prig_write(&rig, bars[i], 2, 2, 0xabcd);
		prig_write(&rig, bars[i], 1, 1, 0xef);
		assert_int_equal(prig_read(&rig, bars[i], 0, 4), 0xabcdef00);
		assert_int_equal(prig_read(&rig, bars[i], 3, 1), 0xab);
		assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
		assert_int_equal(memory[size - 1], 0);
		rig.provider->ops->bar_unmapped(rig.provider, bars[i]);
		munmap(memory, size);
	}
	prig_close(&rig);
}

static void test_io(void **state)
{
	(void)state;
	prig_open(&rig, ODD);
	prig_write(&rig, ODD_BAR_IO, 252, 4, 0x01020304);
	assert_int_equal(prig_read(&rig, ODD_BAR_IO, 254, 2), 0x0102);
	assert_int_equal(prig_read(&rig, ODD_BAR_IO, 255, 1), 0x01);
	assert_int_equal(prig_read(&rig, ODD_BAR_IO, 0, 4), 0);
	prig_close(&rig);
}

static void test_registers(void **state)
{
	(void)state;
	prig_open(&rig, ODD);
	assert_int_equal(get(ODD_IDENTITY), ODD_IDENTITY_VALUE);
	assert_int_equal(prig_read(&rig, REGISTERS, ODD_IDENTITY + 2, 2), 0x0ddb);
	set(ODD_SCRATCH, 0xcafe);
	assert_int_equal(prig_read(&rig, REGISTERS, ODD_IDENTITY, 8), 0x0000cafe0ddb0001);
	prig_write(&rig, REGISTERS, ODD_SCRATCH, 2, 1);
	assert_int_equal(get(ODD_SCRATCH), 0xcafe);
	prig_write(&rig, REGISTERS, ODD_SOURCE, 8, 0x1122334455667788);
	set(ODD_DESTINATION, 5);
	set(ODD_DESTINATION + 4, 6);
	assert_int_equal(get(ODD_SOURCE + 4), 0x11223344);
	assert_int_equal(get(ODD_SOURCE), 0x55667788);
	assert_int_equal(prig_read(&rig, REGISTERS, ODD_DESTINATION, 8), 0x600000005);
	assert_int_equal(get(0x100), 0);
	assert_int_equal(prig_read(&rig, REGISTERS, ODD_REGISTERS_SIZE - 8, 8), 0);
	prig_write(&rig, REGISTERS, ODD_REGISTERS_SIZE - 8, 8, UINT64_MAX);
	/* The vector table is writable, and masked after reset. */
	assert_int_equal(get(ODD_TABLE + 2047 * 16 + 12), 1);
	prig_write(&rig, REGISTERS, ODD_TABLE, 8, 0xfee00000);
	assert_int_equal(get(ODD_TABLE), 0xfee00000);
	prig_reset(&rig, PCI_RESET_HOT);
	assert_int_equal(get(ODD_TABLE), 0);
	assert_int_equal(get(ODD_TABLE + 12), 1);
	prig_close(&rig);
}

static void test_stall(void **state)
{
	(void)state;
	prig_open(&rig, ODD);
	set(ODD_STALL, 3);
	assert_int_equal(get(ODD_STALL), 3);
	assert_int_equal(prig_read(&rig, REGISTERS, ODD_STALL, 1), 3);
	set(ODD_STALL, UINT32_MAX);
	prig_reset(&rig, PCI_RESET_HOT);
	assert_int_equal(get(ODD_STALL), 0);
	prig_close(&rig);
}

/* --- Interrupts --- */

static void test_all_vectors(void **state)
{
	(void)state;
	prig_open(&rig, ODD);
	prig_irq_setup(&rig, DEXT_INTERRUPT_MSIX, 256);
	for (unsigned vector = 0; vector < 256; vector++)
		set(ODD_RAISE, vector);
	for (unsigned vector = 0; vector < 256; vector++)
		assert_int_equal(rig.irqs[vector], 1);
	set(ODD_RAISE, 256);
	set(ODD_RAISE, UINT32_MAX);
	assert_int_equal(prig_irq_total(&rig), 256);
	prig_close(&rig);
}

static void test_fewer_vectors_than_the_device_has(void **state)
{
	unsigned msix;

	(void)state;
	prig_open(&rig, ODD ",vectors=2048");
	msix = dext_find_capability(rig.provider, PCI_CAP_ID_MSIX);
	assert_int_equal(prig_config_read(&rig, msix + PCI_MSIX_FLAGS, 2), 2047);
	prig_irq_setup(&rig, DEXT_INTERRUPT_MSIX, 256);
	set(ODD_RAISE, 2047);
	set(ODD_RAISE, 300);
	assert_int_equal(rig.irqs[255], 2);
	prig_close(&rig);
}

static void test_interrupt_kinds(void **state)
{
	static const struct {
		const char *spec;
		unsigned msix, msi, pin;
	} rows[] = {
		{ ODD, 256, 0, 1 },
		{ ODD ",irq=msix,vectors=1", 1, 0, 1 },
		{ ODD ",irq=msi", 0, 32, 1 },
		{ ODD ",irq=msi,vectors=4", 0, 4, 1 },
		{ ODD ",irq=intx", 0, 0, 1 },
		{ ODD ",irq=none", 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned msix, msi;

		prig_open(&rig, rows[i].spec);
		msix = dext_find_capability(rig.provider, PCI_CAP_ID_MSIX);
		msi = dext_find_capability(rig.provider, PCI_CAP_ID_MSI);
		assert_int_equal(msix != 0, rows[i].msix != 0);
		assert_int_equal(msi != 0, rows[i].msi != 0);
		if (msix)
			assert_int_equal(prig_config_read(&rig, msix + 2, 2), rows[i].msix - 1);
		if (msi)
			assert_int_equal(
				1 << (prig_config_read(&rig, msi + 2, 2) >> 1 & 7), rows[i].msi);
		assert_int_equal(prig_config_read(&rig, PCI_INTERRUPT_PIN, 1), rows[i].pin);
		prig_close(&rig);
	}
}

static unsigned line_in_status(void)
{
	return prig_config_read(&rig, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT;
}

static void test_line(void **state)
{
	uint32_t command;

	(void)state;
	prig_open(&rig, ODD ",irq=intx");
	prig_irq_setup(&rig, DEXT_INTERRUPT_INTX, 1);
	assert_int_equal(line_in_status(), 0);
	set(ODD_RAISE, 0);
	assert_int_equal(rig.irqs[0], 1);
	assert_int_equal(get(ODD_LINE), 1);
	assert_int_equal(line_in_status(), PCI_STATUS_INTERRUPT);
	assert_int_equal(prig_config_read(&rig, PCI_STATUS, 1) & 0x08, 0x08);
	assert_int_equal(prig_config_read(&rig, PCI_COMMAND, 4) >> 16 & 0x08, 0x08);
	assert_int_equal(prig_config_read(&rig, PCI_STATUS + 1, 1) & 0x08, 0);
	set(ODD_LINE, 0);
	assert_int_equal(line_in_status(), 0);
	set(ODD_LINE, 1); /* the line needs a vector */
	assert_int_equal(line_in_status(), 0);
	/*
	 * With Interrupt Disable the line stays asserted, and interrupts when that bit is cleared.
	 */
	command = prig_config_read(&rig, PCI_COMMAND, 2);
	prig_config_write(&rig, PCI_COMMAND, 2, command | PCI_COMMAND_INTX_DISABLE);
	set(ODD_RAISE, 0);
	assert_int_equal(rig.irqs[0], 1);
	assert_int_equal(line_in_status(), PCI_STATUS_INTERRUPT);
	prig_config_write(&rig, PCI_COMMAND, 2, command);
	assert_int_equal(rig.irqs[0], 2);
	assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
	assert_int_equal(line_in_status(), 0);
	prig_close(&rig);
	/* With MSI-X the line is not used. */
	prig_open(&rig, ODD);
	prig_irq_setup(&rig, DEXT_INTERRUPT_MSIX, 256);
	set(ODD_RAISE, 0);
	assert_int_equal(get(ODD_LINE), 0);
	assert_int_equal(line_in_status(), 0);
	prig_close(&rig);
}

/* --- DMA --- */

static void start(uint64_t source, uint64_t destination, uint32_t length, uint32_t control)
{
	prig_write(&rig, REGISTERS, ODD_SOURCE, 8, source);
	prig_write(&rig, REGISTERS, ODD_DESTINATION, 8, destination);
	set(ODD_LENGTH, length);
	set(ODD_CONTROL, control | ODD_CONTROL_GO);
}

static uint32_t transfer(uint64_t source, uint64_t destination, uint32_t length, uint32_t control)
{
	start(source, destination, length, control);
	prig_await(&rig, REGISTERS, ODD_DMA_STATUS, ODD_DMA_DONE, ODD_DMA_DONE);
	return get(ODD_DMA_STATUS);
}

static void test_transfers(void **state)
{
	const uint32_t length = 300000, half = RIG_MEMORY_SIZE / 2;

	(void)state;
	prig_open(&rig, ODD);
	prig_irq_setup(&rig, DEXT_INTERRUPT_MSIX, 256);
	for (uint32_t i = 0; i < length; i++)
		rig.memory[i] = (uint8_t)(i * 7 + i / 256);
	/* Memory to memory, in several pieces. */
	assert_int_equal(transfer(rig.bus, rig.bus + half, length, 0), ODD_DMA_DONE);
	assert_memory_equal(rig.memory, rig.memory + half, length);
	assert_int_equal(rig.memory[half + length], 0);
	assert_int_equal(prig_irq_total(&rig), 0);
	/* Into, within, and out of the internal buffer. */
	assert_int_equal(transfer(rig.bus, 0, 1000, ODD_CONTROL_TO_BUFFER), ODD_DMA_DONE);
	assert_int_equal(prig_read(&rig, ODD_BAR_BUFFER, 999, 1), rig.memory[999]);
	assert_int_equal(transfer(0, 0xff00, 256,
				 ODD_CONTROL_TO_BUFFER | ODD_CONTROL_FROM_BUFFER |
					 ODD_CONTROL_RAISE | 200u << ODD_CONTROL_VECTOR_SHIFT),
		ODD_DMA_DONE);
	assert_int_equal(
		transfer(0xff00, rig.bus + 4096, 256, ODD_CONTROL_FROM_BUFFER), ODD_DMA_DONE);
	assert_memory_equal(rig.memory, rig.memory + 4096, 256);
	assert_int_equal(rig.irqs[200], 1);
	assert_int_equal(prig_irq_total(&rig), 1);
	assert_int_equal(transfer(0, 0, 0, 0), ODD_DMA_DONE);
	assert_int_equal(prig_faults(&rig), 0);
	prig_close(&rig);
}

static void test_invalid_transfers(void **state)
{
	const uint32_t failed = ODD_DMA_DONE | ODD_DMA_FAILED;

	(void)state;
	prig_open(&rig, ODD);
	prig_irq_setup(&rig, DEXT_INTERRUPT_MSIX, 256);
	assert_int_equal(transfer(0, rig.bus, 16, ODD_CONTROL_RAISE), failed);
	assert_int_equal(rig.irqs[0], 1);
	assert_int_equal(prig_faults(&rig), 1);
	assert_int_equal(transfer(rig.bus, rig.bus + RIG_MEMORY_SIZE - 8, 16, 0), failed);
	assert_int_equal(prig_faults(&rig), 2);
	assert_int_equal(transfer(UINT64_MAX - 3, rig.bus, 16, 0), failed);
	assert_int_equal(prig_faults(&rig), 3);
	assert_int_equal(transfer(rig.bus, 0xfff8, 16, ODD_CONTROL_TO_BUFFER), failed);
	assert_int_equal(transfer(UINT64_MAX, rig.bus, 16, ODD_CONTROL_FROM_BUFFER), failed);
	assert_int_equal(transfer(0, rig.bus, 0x10001, ODD_CONTROL_FROM_BUFFER), failed);
	assert_int_equal(prig_faults(&rig), 3);
	prig_config_write(&rig, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(transfer(rig.bus, rig.bus, 16, 0), failed);
	prig_close(&rig);
}

static void test_reset_ends_a_transfer(void **state)
{
	(void)state;
	prig_open(&rig, ODD);
	for (unsigned round = 0; round < 50; round++) {
		start(rig.bus, rig.bus + RIG_MEMORY_SIZE / 2, RIG_MEMORY_SIZE / 2,
			ODD_CONTROL_RAISE);
		assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
		memset(rig.memory + RIG_MEMORY_SIZE / 2, 0x3c, RIG_MEMORY_SIZE / 2);
		assert_int_equal(get(ODD_DMA_STATUS), 0);
		assert_int_equal(rig.memory[RIG_MEMORY_SIZE / 2], 0x3c);
		assert_int_equal(rig.memory[RIG_MEMORY_SIZE - 1], 0x3c);
		prig_config_write(&rig, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	}
	start(rig.bus, rig.bus, RIG_MEMORY_SIZE, 0);
	prig_close(&rig);
}

/* --- Capability lists --- */

static void test_capability_lists(void **state)
{
	static const char *const kinds[] = { "sane", "loop", "self", "header", "end" };
	static const unsigned targets[] = { 0, 0x40, 1, 0x10, 0xfc };
	static const uint8_t present[] = { PCI_CAP_ID_PM, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX, 0x09 };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		char spec[64];
		unsigned last;

		snprintf(spec, sizeof(spec), ODD ",flr=on,caps=%s", kinds[i]);
		prig_open(&rig, spec);
		for (size_t j = 0; j < sizeof(present); j++)
			assert_true(dext_find_capability(rig.provider, present[j]) >= 0x40);
		/* A search for a missing capability ends, also in a list that loops. */
		assert_int_equal(dext_find_capability(rig.provider, PCI_CAP_ID_MSI), 0);
		assert_int_equal(dext_find_capability(rig.provider, 0x42), 0);
		last = dext_find_capability(rig.provider, 0x09);
		assert_int_equal(prig_config_read(&rig, last + 2, 1), 6);
		last = prig_config_read(&rig, last + 1, 1);
		assert_int_equal(prig_config_read(&rig, last, 1), 0x09);
		/* The capability after its next pointer; 1: itself. */
		assert_int_equal(
			prig_config_read(&rig, last + 1, 1), targets[i] == 1 ? last : targets[i]);
		/* The resets do not use the list. */
		assert_int_equal(prig_reset(&rig, PCI_RESET_FUNCTION), kIOReturnSuccess);
		assert_int_equal(prig_reset(&rig, PCI_RESET_POWER), kIOReturnSuccess);
		prig_close(&rig);
	}
}

/* --- Specifications --- */

static void test_specifications(void **state)
{
	(void)state;
	prig_refuses(ODD ",irq=edge", "irq=edge: it is one of none, intx, msi, msix");
	prig_refuses(ODD ",caps=mad", "one of sane, loop, self, header, end");
	prig_refuses(ODD ",flr=maybe", "flr=maybe: it is one of on, off, fail, hang");
	prig_refuses(ODD ",hot-reset=", "hot-reset=: it is one of on, off, fail, hang");
	prig_refuses(ODD ",power-reset=1", "power-reset=1: it is");
	prig_refuses(ODD ",reset-time=soon", "reset-time=soon is not a number from 0 to 60000");
	prig_refuses(ODD ",vectors=0", "from 1 to 2048");
	prig_refuses(ODD ",vectors=2049", "from 1 to 2048");
	prig_refuses(ODD ",irq=msi,vectors=3", "a power of two up to 32");
	prig_refuses(ODD ",irq=msi,vectors=64", "from 1 to 32");
	prig_refuses(ODD ",irq=intx,vectors=2", "from 1 to 1");
	prig_refuses(ODD ",irq=none,vectors=1", "vectors does not go with irq=none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_memory_by_call_and_mapped),
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_all_vectors),
		cmocka_unit_test(test_fewer_vectors_than_the_device_has),
		cmocka_unit_test(test_interrupt_kinds),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_transfers),
		cmocka_unit_test(test_invalid_transfers),
		cmocka_unit_test(test_reset_ends_a_transfer),
		cmocka_unit_test(test_capability_lists),
		cmocka_unit_test(test_specifications),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
