/* SPDX-License-Identifier: BSD-3-Clause */
/* A client whose memory blocks, with the driver in this process. */
#include "provider/soft/edu/edu.h"
#include "tests/lib/asserts.h"
#include "tests/lib/rig.h"
#include "tests/lib/stall.h"

#include <apple-dext-client.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIZE UINT64_C(65536)
#define IOVA UINT64_C(0x100000) /* within 28 bits */

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	return rig_start(&rig, (const char *[]){ "edu,addr=01:00.0,delay=0", NULL }) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rig_stop(&rig) ? 0 : -1;
}

static io_connect_t claim_with(void *memory)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);

	assert_int_not_equal(connection, IO_OBJECT_NULL);
	assert_ok(apple_dext_claim_exclusive(connection));
	assert_ok(apple_dext_register_dma(connection, IOVA, (uintptr_t)memory, SIZE, NULL, NULL));
	return connection;
}

/* Have the device read from the memory. */
static void transfer(io_connect_t connection)
{
	assert_ok(apple_dext_mmio_write(connection, 0, EDU_DMA_SOURCE, 8, IOVA));
	assert_ok(apple_dext_mmio_write(connection, 0, EDU_DMA_DESTINATION, 8, EDU_BUFFER));
	assert_ok(apple_dext_mmio_write(connection, 0, EDU_DMA_COUNT, 8, 8));
	assert_ok(apple_dext_mmio_write(connection, 0, EDU_DMA_COMMAND, 8, EDU_COMMAND_START));
}

static void await_transfer(io_connect_t connection)
{
	uint64_t running = EDU_COMMAND_START;

	for (int i = 0; i < 60000 && (running & EDU_COMMAND_START); i++) {
		assert_ok(apple_dext_mmio_read(connection, 0, EDU_DMA_COMMAND, 8, &running));
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_false(running & EDU_COMMAND_START);
}

/* Another client can claim the device at once, and use it. */
static void check_next_client(void)
{
	void *memory = aligned_alloc(4096, SIZE);
	io_connect_t connection;

	assert_non_null(memory);
	memset(memory, 0, SIZE);
	connection = claim_with(memory);
	transfer(connection);
	await_transfer(connection);
	assert_ok(apple_dext_unregister_dma(connection, IOVA));
	apple_dext_disconnect(connection);
	free(memory);
}

static void test_the_device_is_claimed_by_another(void **state)
{
	struct stall stall;
	io_connect_t connection;

	(void)state;
	if (!stall_begin(&stall, SIZE))
		skip();
	connection = claim_with(stall.memory);
	transfer(connection);
	assert_true(stall_await(&stall));
	apple_dext_disconnect(connection);
	check_next_client();
	stall_end(&stall);
	check_next_client();
	stall_free(&stall);
}

/* Unregistering such memory returns that it is still in use. */
static void test_unregistering(void **state)
{
	struct stall stall;
	io_connect_t connection;

	(void)state;
	if (!stall_begin(&stall, SIZE))
		skip();
	connection = claim_with(stall.memory);
	transfer(connection);
	assert_true(stall_await(&stall));
	assert_fails(apple_dext_unregister_dma(connection, IOVA), kIOReturnTimeout);
	assert_fails(apple_dext_unregister_dma(connection, IOVA), kIOReturnNotFound);
	stall_end(&stall);
	await_transfer(connection);
	apple_dext_disconnect(connection);
	stall_free(&stall);
}

static void test_probing(void **state)
{
	struct stall stall;
	io_connect_t connection;
	uint64_t word;

	(void)state;
	if (!stall_begin(&stall, SIZE))
		skip();
	connection = claim_with(stall.memory);
	assert_fails(apple_dext_probe_dma(connection, IOVA, 8, &word), kIOReturnTimeout);
	assert_fails(apple_dext_probe_dma(connection, IOVA, 8, &word), kIOReturnBusy);
	apple_dext_disconnect(connection);
	check_next_client();
	stall_end(&stall);
	connection = claim_with(stall.memory);
	assert_ok(apple_dext_probe_dma(connection, IOVA, 8, &word));
	assert_int_equal(word, 0);
	assert_ok(apple_dext_unregister_dma(connection, IOVA));
	apple_dext_disconnect(connection);
	stall_free(&stall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_device_is_claimed_by_another),
		cmocka_unit_test(test_unregistering),
		cmocka_unit_test(test_probing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
