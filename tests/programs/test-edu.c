/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small driver of the edu device on the client library: with bus addresses that the client
 * chooses, and behind an IOMMU that chooses them.
 */
#include "provider/soft/edu/edu.h"
#include "tests/lib/asserts.h"
#include "tests/lib/irq-listener.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEMORY_SIZE 65536u
#define IOVA	    UINT64_C(0x100000) /* within 28 bits */

static struct rig rig;

/* The device, claimed, with interrupts and memory. */
struct card {
	io_connect_t connection;
	uint8_t index; /* of BAR0, for single accesses */
	struct irq_listener listener;
	uint8_t *memory;
	uint64_t bus; /* bus address of the memory */
};

static uint64_t get(struct card *card, uint64_t offset, unsigned width)
{
	uint64_t value;

	assert_ok(apple_dext_mmio_read(card->connection, card->index, offset, width, &value));
	return value;
}

static void set(struct card *card, uint64_t offset, unsigned width, uint64_t value)
{
	assert_ok(apple_dext_mmio_write(card->connection, card->index, offset, width, value));
}

static void card_open(struct card *card, uint8_t bus)
{
	uint32_t vectors;

	memset(card, 0, sizeof(*card));
	card->connection = apple_dext_connect(bus, 0, 0);
	assert_int_not_equal(card->connection, IO_OBJECT_NULL);
	assert_ok(apple_dext_claim(card->connection));
	assert_ok(apple_dext_get_bar_info(card->connection, 0, &card->index, NULL, NULL));
	assert_ok(apple_dext_setup_interrupts(card->connection, &vectors));
	assert_int_equal(vectors, 1);
	assert_true(irq_listen(&card->listener, card->connection));
	card->memory = aligned_alloc(16384, MEMORY_SIZE);
	assert_non_null(card->memory);
	memset(card->memory, 0, MEMORY_SIZE);
	assert_ok(apple_dext_register_dma(
		card->connection, IOVA, (uintptr_t)card->memory, MEMORY_SIZE, &card->bus, NULL));
}

static void card_close(struct card *card)
{
	irq_listen_end(&card->listener);
	assert_ok(apple_dext_unregister_dma(card->connection, IOVA));
	apple_dext_disconnect(card->connection);
	free(card->memory);
}

/* As an interrupt handler: read the status, acknowledge. */
static uint32_t handle_interrupt(struct card *card)
{
	uint32_t status;

	assert_true(irq_wait_one(&card->listener, 0));
	status = (uint32_t)get(card, EDU_INTERRUPT_STATUS, 4);
	set(card, EDU_INTERRUPT_ACKNOWLEDGE, 4, status);
	return status;
}

static void test_identity(void **state)
{
	struct card card;
	AppleDextIdentity identity;
	AppleDextStatus status;

	(void)state;
	card_open(&card, 1);
	assert_ok(apple_dext_get_identity(card.connection, &identity));
	assert_int_equal(identity.vendor_id, 0x1234);
	assert_int_equal(identity.device_id, 0x11e8);
	assert_int_equal(identity.class_code, 0x00ff00);
	assert_ok(apple_dext_get_status(card.connection, &status));
	assert_int_equal(status.interrupt_kind, DEXT_INTERRUPT_MSI);
	assert_int_equal(get(&card, EDU_IDENTIFICATION, 4), EDU_IDENTITY);
	set(&card, EDU_LIVENESS, 4, 0xdeadbeef);
	assert_int_equal(get(&card, EDU_LIVENESS, 4), 0x21524110);
	card_close(&card);
}

/* The BAR cannot be mapped; the client uses calls. */
static void test_registers_by_call(void **state)
{
	struct card card;
	mach_vm_address_t address;
	mach_vm_size_t size;

	(void)state;
	card_open(&card, 1);
	assert_int_equal(
		apple_dext_map_bar(card.connection, 0, &address, &size, NULL), kIOReturnNotReady);
	assert_int_equal(get(&card, EDU_IDENTIFICATION, 4), EDU_IDENTITY);
	card_close(&card);
}

static void test_factorial(void **state)
{
	struct card card;

	(void)state;
	card_open(&card, 1);
	set(&card, EDU_STATUS, 4, EDU_STATUS_INTERRUPT);
	set(&card, EDU_FACTORIAL, 4, 10);
	assert_int_equal(handle_interrupt(&card), EDU_INTERRUPT_FACTORIAL);
	assert_int_equal(get(&card, EDU_STATUS, 4), EDU_STATUS_INTERRUPT);
	assert_int_equal(get(&card, EDU_FACTORIAL, 4), 3628800);
	assert_int_equal(get(&card, EDU_INTERRUPT_STATUS, 4), 0);
	card_close(&card);
}

static void test_raised_by_register(void **state)
{
	struct card card;

	(void)state;
	card_open(&card, 1);
	for (uint32_t value = 1; value <= 64; value <<= 1) {
		set(&card, EDU_INTERRUPT_RAISE, 4, value);
		assert_int_equal(handle_interrupt(&card), value);
	}
	card_close(&card);
}

static void transfer(
	struct card *card, uint64_t source, uint64_t destination, uint64_t count, uint32_t command)
{
	set(card, EDU_DMA_SOURCE, 8, source);
	set(card, EDU_DMA_DESTINATION, 8, destination);
	set(card, EDU_DMA_COUNT, 8, count);
	set(card, EDU_DMA_COMMAND, 4, command | EDU_COMMAND_START | EDU_COMMAND_INTERRUPT);
	assert_int_equal(handle_interrupt(card), EDU_INTERRUPT_DMA);
	assert_int_equal(get(card, EDU_DMA_COMMAND, 4) & EDU_COMMAND_START, 0);
}

static void move_both_ways(struct card *card)
{
	AppleDextStatus status;

	for (unsigned i = 0; i < 4096; i++)
		card->memory[i] = (uint8_t)(i * 11 + 5);
	transfer(card, card->bus, EDU_BUFFER, 4096, 0);
	transfer(card, EDU_BUFFER + 96, card->bus + 40001, 4000, EDU_COMMAND_FROM_DEVICE);
	assert_memory_equal(card->memory + 96, card->memory + 40001, 4000);
	assert_int_equal(card->memory[40000], 0);
	assert_int_equal(card->memory[44001], 0);
	assert_ok(apple_dext_get_status(card->connection, &status));
	assert_int_equal(status.dma_faults, 0);
}

static void test_dma(void **state)
{
	struct card card;

	(void)state;
	card_open(&card, 1);
	assert_int_equal(card.bus, IOVA);
	move_both_ways(&card);
	card_close(&card);
}

static void test_dma_behind_a_dart(void **state)
{
	struct card card;
	AppleDextStatus status;

	(void)state;
	card_open(&card, 2);
	assert_int_not_equal(card.bus, IOVA);
	move_both_ways(&card);
	/* The iova is only a handle: the device cannot access that address. */
	memset(card.memory, 0x42, 64);
	transfer(&card, IOVA, EDU_BUFFER, 64, 0);
	assert_ok(apple_dext_get_status(card.connection, &status));
	assert_int_equal(status.dma_faults, 1);
	card_close(&card);
}

/* A reset during work of a minute: it takes effect at once; interrupts and memory stay. */
static void test_reset_during_work(void **state)
{
	struct card card;
	uint64_t command;

	(void)state;
	card_open(&card, 3);
	memset(card.memory, 0x99, 64);
	set(&card, EDU_STATUS, 4, EDU_STATUS_INTERRUPT);
	set(&card, EDU_FACTORIAL, 4, 3);
	set(&card, EDU_DMA_SOURCE, 8, EDU_BUFFER);
	set(&card, EDU_DMA_DESTINATION, 8, card.bus);
	set(&card, EDU_DMA_COUNT, 8, 64);
	set(&card, EDU_DMA_COMMAND, 4, EDU_COMMAND_START | EDU_COMMAND_FROM_DEVICE);
	assert_ok(apple_dext_reset_device(card.connection));
	assert_int_equal(get(&card, EDU_STATUS, 4), 0);
	assert_int_equal(get(&card, EDU_DMA_COMMAND, 4), 0);
	assert_int_equal(card.memory[0], 0x99);
	assert_ok(apple_dext_config_read(card.connection, 4, 2, &command));
	assert_int_equal(command & 6, 6);
	set(&card, EDU_INTERRUPT_RAISE, 4, 2);
	assert_int_equal(handle_interrupt(&card), 2);
	assert_ok(apple_dext_probe_dma(card.connection, IOVA, 0, &command));
	card_close(&card);
}

/* The client disconnects during the work: the next one finds the device reset. */
static void test_disconnect_during_work(void **state)
{
	struct card card;
	AppleDextStatus status;

	(void)state;
	card_open(&card, 3);
	set(&card, EDU_FACTORIAL, 4, 3);
	card_close(&card);
	card.connection = apple_dext_connect(3, 0, 0);
	do
		assert_ok(apple_dext_get_status(card.connection, &status));
	while (status.claims);
	assert_ok(apple_dext_claim(card.connection));
	assert_int_equal(get(&card, EDU_STATUS, 4), 0);
	apple_dext_disconnect(card.connection);
}

static int setup(void **state)
{
	const char *const specs[] = { "edu,addr=01:00.0", "edu,addr=02:00.0,dma=dart,dma-mask=64",
		"edu,addr=03:00.0,delay=60000", NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_registers_by_call),
		cmocka_unit_test(test_factorial),
		cmocka_unit_test(test_raised_by_register),
		cmocka_unit_test(test_dma),
		cmocka_unit_test(test_dma_behind_a_dart),
		cmocka_unit_test(test_reset_during_work),
		cmocka_unit_test(test_disconnect_during_work),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
