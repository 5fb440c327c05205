/* SPDX-License-Identifier: BSD-3-Clause */
/* Extension selectors for inspection and for software devices: lists, the trace, triggering, removal. */
#include "tests/lib/asserts.h"
#include "tests/lib/rig.h"

#include <dext-abi.h>
#include <iokit-user/service.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <time.h>

static struct rig rig;

/* A selector without a structure output returns none, even if the caller has room for one. */
static void test_no_stray_output(void **state)
{
	static const uint32_t selectors[] = { DEXT_SELECTOR_Claim, DEXT_SELECTOR_GetIdentity,
		DEXT_SELECTOR_ClaimExclusive, DEXT_SELECTOR_GetStatus, DEXT_SELECTOR_GetDMALimits };
	unsigned char bytes[IOUSER_STRUCT_MAX];
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	uint64_t scalars[IOUSER_SCALARS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(selectors) / sizeof(*selectors); i++) {
		uint32_t count = IOUSER_SCALARS_MAX;
		size_t size = sizeof(bytes);

		assert_ok(IOConnectCallMethod(
			connection, selectors[i], NULL, 0, NULL, 0, scalars, &count, bytes, &size));
		assert_int_equal(size, 0);
		assert_true(count < IOUSER_SCALARS_MAX);
	}
	apple_dext_disconnect(connection);
}

static void test_clients(void **state)
{
	io_connect_t first = claim_device(), second = apple_dext_connect(1, 0, 0);
	AppleDextClientInfo *clients;
	size_t count;

	(void)state;
	assert_ok(apple_dext_setup_interrupts(first, NULL));
	assert_ok(apple_dext_trigger_interrupt(second, 5));
	assert_ok(apple_dext_copy_clients(second, &clients, &count));
	while (count > 2) { /* a connection of the previous test may still be closing */
		free(clients);
		assert_ok(apple_dext_copy_clients(second, &clients, &count));
	}
	assert_int_equal(count, 2);
	assert_true(clients[0].client < clients[1].client);
	assert_true(clients[0].claimed && clients[0].takes_interrupts && !clients[0].is_caller);
	assert_int_equal(clients[0].interrupts, 1);
	assert_true(!clients[1].claimed && clients[1].is_caller);
	assert_int_equal(clients[0].pid, getpid());
	free(clients);
	assert_fails(apple_dext_copy_clients(second, NULL, &count), kIOReturnBadArgument);
	assert_fails(
		apple_dext_copy_clients(IO_OBJECT_NULL, &clients, &count), kIOReturnBadArgument);
	apple_dext_disconnect(first);
	apple_dext_disconnect(second);
}

static void test_trigger(void **state)
{
	io_connect_t connection = claim_device();
	uint64_t pending[4];

	(void)state;
	assert_ok(apple_dext_trigger_interrupt(connection, 3)); /* no client listens: no error */
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	assert_ok(apple_dext_trigger_interrupt(connection, 63));
	assert_ok(apple_dext_read_pending_irqs(connection, pending));
	assert_int_equal(pending[0], UINT64_C(1) << 63);
	assert_fails(apple_dext_trigger_interrupt(connection, 64), kIOReturnBadArgument);
	apple_dext_disconnect(connection);
}

static void test_trace(void **state)
{
	io_connect_t connection = claim_device();
	const struct dext_trace_entry *entry;
	const struct dext_trace *trace;
	mach_vm_address_t address;
	uint64_t value, first;

	(void)state;
	assert_ok(apple_dext_map_trace(connection, &address));
	trace = (const struct dext_trace *)address;
	first = __atomic_load_n(&trace->next, __ATOMIC_SEQ_CST);
	assert_ok(apple_dext_config_read(connection, 0x08, 4, &value));
	assert_fails(apple_dext_config_read(connection, 2, 4, &value), kIOReturnNotAligned);
	assert_int_equal(__atomic_load_n(&trace->next, __ATOMIC_SEQ_CST), first + 2);
	entry = &trace->entries[first % DEXT_TRACE_ENTRIES];
	assert_int_equal(__atomic_load_n(&entry->sequence, __ATOMIC_SEQ_CST), first + 1);
	assert_int_equal(entry->selector, DEXT_SELECTOR_ConfigRead);
	assert_int_equal(entry->in_count, 2);
	assert_int_equal(entry->in[0], 0x08);
	assert_int_equal(entry->out[0] >> 8, 0x010802);
	assert_int_equal(entry[1].status, kIOReturnNotAligned);
	/* It cannot be made writable. */
	assert_int_not_equal(mprotect((void *)address, 4096, PROT_READ | PROT_WRITE), 0);
	assert_ok(apple_dext_unmap_trace(connection, address));
	assert_fails(apple_dext_unmap_trace(connection, address), kIOReturnBadArgument);
	assert_fails(apple_dext_map_trace(connection, NULL), kIOReturnBadArgument);
	apple_dext_disconnect(connection);
}

static void test_roots(void **state)
{
	AppleDextDevice *devices;
	io_connect_t connection;
	size_t count;

	(void)state;
	assert_int_equal(apple_dext_connect(3, 0, 0), IO_OBJECT_NULL);
	assert_non_null(strstr(apple_dext_last_error(), "ambiguous"));
	assert_non_null(strstr(apple_dext_last_error(), "left/03:00.0"));
	assert_non_null(strstr(apple_dext_last_error(), "right/03:00.0"));
	connection = apple_dext_connect_with_root("left", 3, 0, 0);
	assert_int_not_equal(connection, IO_OBJECT_NULL);
	apple_dext_disconnect(connection);
	assert_int_equal(apple_dext_connect_with_root("", 3, 0, 0), IO_OBJECT_NULL);
	assert_int_equal(apple_dext_connect_with_root("middle", 3, 0, 0), IO_OBJECT_NULL);
	assert_non_null(strstr(apple_dext_last_error(), "middle/03:00.0"));
	connection = apple_dext_connect_with_root("", 1, 0, 0);
	assert_int_not_equal(connection, IO_OBJECT_NULL);
	apple_dext_disconnect(connection);
	assert_ok(apple_dext_copy_bound_devices(&devices, &count));
	assert_int_equal(count, 4);
	assert_string_equal(devices[0].root, "");
	assert_string_equal(devices[2].root, "left");
	assert_string_equal(devices[3].root, "right");
	apple_dext_free_bound_devices(devices);
}

/* A block has the bytes of single reads; it may begin and end anywhere. */
static void test_config_blocks(void **state)
{
	static const struct {
		uint64_t offset;
		size_t length;
	} blocks[] = { { 0, DEXT_CONFIG_SIZE }, { 1, 7 }, { 0x0e, 0x25 }, { 0x11, 5 }, { 0x27, 6 },
		{ 3, 4 }, { 0xffb, 5 }, { 0x100, 0 }, { DEXT_CONFIG_SIZE, 0 } };
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	unsigned char expected[DEXT_CONFIG_SIZE], got[DEXT_CONFIG_SIZE];
	AppleDextClientInfo *clients;
	uint64_t value, calls;
	size_t count;

	(void)state;
	for (uint64_t i = 0; i < DEXT_CONFIG_SIZE; i++) {
		assert_ok(apple_dext_config_read(connection, i, 1, &value));
		expected[i] = (unsigned char)value;
	}
	assert_int_equal(expected[0x10], DEXT_BAR_MEM64);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		memset(got, 0x5a, sizeof(got));
		assert_ok(apple_dext_config_read_block(
			connection, blocks[i].offset, got, blocks[i].length));
		assert_memory_equal(got, expected + blocks[i].offset, blocks[i].length);
		if (blocks[i].length < sizeof(got))
			assert_int_equal(got[blocks[i].length], 0x5a);
	}
	assert_fails(apple_dext_config_read_block(connection, 1, got, DEXT_CONFIG_SIZE),
		kIOReturnBadArgument);
	assert_fails(
		apple_dext_config_read_block(connection, UINT64_MAX, got, 8), kIOReturnBadArgument);

	/* All of it by one call. */
	assert_ok(apple_dext_copy_clients(connection, &clients, &count));
	assert_int_equal(count, 1);
	calls = clients[0].calls;
	free(clients);
	assert_ok(apple_dext_config_read_block(connection, 0, got, DEXT_CONFIG_SIZE));
	assert_ok(apple_dext_copy_clients(connection, &clients, &count));
	assert_int_equal(clients[0].calls, calls + 2); /* and the list itself */
	free(clients);
	apple_dext_disconnect(connection);
}

/* The selector itself, with arguments that the library does not pass. */
static void test_config_block_arguments(void **state)
{
	static const struct {
		uint64_t offset, length;
		size_t room;
	} cases[] = { { 0, 64, 63 }, { 0, DEXT_CONFIG_SIZE + 1, DEXT_CONFIG_SIZE },
		{ DEXT_CONFIG_SIZE, 1, 64 }, { DEXT_CONFIG_SIZE + 1, 0, 64 }, { UINT64_MAX, 8, 64 },
		{ 8, UINT64_MAX, 64 }, { 1, UINT64_MAX, 64 } };
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	unsigned char got[DEXT_CONFIG_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const uint64_t in[] = { cases[i].offset, cases[i].length };
		size_t size = cases[i].room;

		assert_fails(IOConnectCallMethod(connection, DEXT_SELECTOR_ConfigReadBlock, in, 2,
				     NULL, 0, NULL, NULL, got, &size),
			kIOReturnBadArgument);
	}
	apple_dext_disconnect(connection);
}

static sem_t status_came;
static atomic_int last_status;

static void note_status(void *unused, kern_return_t status)
{
	(void)unused;
	atomic_store(&last_status, status);
	sem_post(&status_came);
}

static void no_interrupt(void *unused)
{
	(void)unused;
	abort();
}

static void test_removal(void **state)
{
	io_connect_t holder = apple_dext_connect_with_root("right", 3, 0, 0);
	io_connect_t other = apple_dext_connect_with_root("right", 3, 0, 0);
	AppleDextInterruptNotify *notify;
	unsigned char block[64];
	uint64_t value;

	(void)state;
	assert_ok(apple_dext_claim(holder));
	assert_ok(apple_dext_setup_interrupts(holder, NULL));
	assert_ok(apple_dext_interrupt_notify_create_into(holder, no_interrupt, NULL, &notify));
	sem_init(&status_came, 0, 0);
	assert_ok(apple_dext_interrupt_notify_set_status_handler(notify, note_status));
	assert_ok(apple_dext_remove_device(other));
	while (sem_wait(&status_came) != 0)
		;
	assert_fails(atomic_load(&last_status), kIOReturnOffline);
	assert_fails(apple_dext_interrupt_notify_rearm(notify), kIOReturnOffline);
	apple_dext_interrupt_notify_destroy(notify);
	assert_ok(apple_dext_config_read(holder, 0, 4, &value));
	assert_int_equal(value, UINT32_MAX);
	assert_ok(apple_dext_config_read(holder, 2, 2, &value));
	assert_int_equal(value, UINT16_MAX);
	assert_ok(apple_dext_config_read_block(holder, 0, block, sizeof(block)));
	for (size_t i = 0; i < sizeof(block); i++)
		assert_int_equal(block[i], 0xff);
	assert_fails(apple_dext_config_write(holder, 4, 2, 0), kIOReturnOffline);
	assert_fails(apple_dext_mmio_read(holder, 0, 0, 4, &value), kIOReturnOffline);
	assert_fails(apple_dext_reset_device(holder), kIOReturnOffline);
	assert_fails(apple_dext_remove_device(holder), kIOReturnOffline);
	assert_int_equal(apple_dext_connect_with_root("right", 3, 0, 0), IO_OBJECT_NULL);
	apple_dext_disconnect(holder);
	apple_dext_disconnect(other);
	/* The address is no longer ambiguous. */
	other = apple_dext_connect(3, 0, 0);
	assert_int_not_equal(other, IO_OBJECT_NULL);
	apple_dext_disconnect(other);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=1M", "nvme,addr=02:00.0,size=1M",
		"nvme,addr=left/03:00.0,size=1M", "nvme,addr=right/03:00.0,size=1M", NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_no_stray_output, rig_await_idle),
		cmocka_unit_test_setup(test_clients, rig_await_idle),
		cmocka_unit_test_setup(test_trigger, rig_await_idle),
		cmocka_unit_test_setup(test_trace, rig_await_idle),
		cmocka_unit_test_setup(test_roots, rig_await_idle),
		cmocka_unit_test_setup(test_config_blocks, rig_await_idle),
		cmocka_unit_test_setup(test_config_block_arguments, rig_await_idle),
		cmocka_unit_test_setup(test_removal, rig_await_idle),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
