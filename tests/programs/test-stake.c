/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a client without a claim may see and do of others' business, row by row of the ABI
 * table: nothing, unless it is of the service's own user or root. The driver is in this
 * process, and the test says who its client is.
 */
#include "tests/lib/asserts.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <iokit-user/service.h>

static struct rig rig;
static bool privileged;

/* In place of the runtime's (the linker's --wrap): the driver is linked into this program. */
bool __wrap_iouser_peer_is_privileged(const struct iouser_peer *peer);
bool __wrap_iouser_peer_is_privileged(const struct iouser_peer *peer)
{
	assert_non_null(peer);
	return privileged;
}

static const struct row {
	uint32_t number, in, out;
	enum dext_need needs;
} rows[] = {
#define ROW(number, name, in, out, needs) { number, in, out, needs },
	DEXT_SELECTORS(ROW) DEXT_EXTENSION_SELECTORS(ROW)
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static bool ends_the_device(const struct row *row)
{
	return row->number == DEXT_SELECTOR_Terminate || row->number == DEXT_SELECTOR_RemoveDevice;
}

static kern_return_t call(io_connect_t connection, const struct row *row)
{
	uint64_t in[16] = { 0 }, out[16];
	uint32_t count = row->out;

	return IOConnectCallScalarMethod(connection, row->number, in, row->in, out, &count);
}

static io_connect_t open_device(uint8_t bus)
{
	io_connect_t connection = apple_dext_connect(bus, 0, 0);

	assert_int_not_equal(connection, IO_OBJECT_NULL);
	return connection;
}

static void test_a_stranger_without_a_claim(void **state)
{
	io_connect_t holder = open_device(1), stranger = open_device(1);
	mach_vm_address_t address;
	unsigned refused = 0;

	(void)state;
	privileged = false;
	assert_ok(apple_dext_claim_exclusive(holder));
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].needs != DEXT_NEEDS_CLAIM_OR_OWNER)
			continue;
		assert_fails(call(stranger, &rows[i]), kIOReturnNotPrivileged);
		refused++;
	}
	/* Terminate, the two lists, TriggerInterrupt, RemoveDevice: at the least. */
	assert_true(refused >= 5);
	assert_fails(apple_dext_map_trace(stranger, &address), kIOReturnNotPrivileged);
	assert_fails(apple_dext_claim(stranger), kIOReturnExclusiveAccess);
	/* It did nothing: the device is there for its holder. */
	assert_ok(apple_dext_reset_device(holder));
	apple_dext_disconnect(holder);
	apple_dext_disconnect(stranger);
}

static void test_a_claim_is_a_stake(void **state)
{
	io_connect_t connection = open_device(1);
	mach_vm_address_t address;

	(void)state;
	privileged = false;
	assert_ok(apple_dext_claim(connection));
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].needs == DEXT_NEEDS_CLAIM_OR_OWNER && !ends_the_device(&rows[i]))
			assert_ok(call(connection, &rows[i]));
	assert_ok(apple_dext_map_trace(connection, &address));
	assert_ok(apple_dext_unmap_trace(connection, address));
	apple_dext_disconnect(connection);
}

static void test_so_is_being_the_services_user(void **state)
{
	io_connect_t holder = open_device(1), owner = open_device(1);
	mach_vm_address_t address;

	(void)state;
	privileged = true;
	assert_ok(apple_dext_claim_exclusive(holder));
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].needs == DEXT_NEEDS_CLAIM_OR_OWNER && !ends_the_device(&rows[i]))
			assert_ok(call(owner, &rows[i]));
	assert_ok(apple_dext_map_trace(owner, &address));
	assert_ok(apple_dext_unmap_trace(owner, address));
	/* It is no claim all the same. */
	assert_fails(apple_dext_reset_device(owner), kIOReturnNotOpen);
	assert_ok(apple_dext_remove_device(owner));
	assert_fails(apple_dext_reset_device(holder), kIOReturnOffline);
	apple_dext_disconnect(holder);
	apple_dext_disconnect(owner);
}

static void test_terminate(void **state)
{
	io_connect_t holder = open_device(2), other = open_device(2);

	(void)state;
	privileged = false;
	assert_fails(apple_dext_terminate(other), kIOReturnNotPrivileged);
	assert_ok(apple_dext_claim(holder));
	assert_fails(apple_dext_terminate(other), kIOReturnNotPrivileged);
	assert_ok(apple_dext_terminate(holder));
	apple_dext_disconnect(holder);
	apple_dext_disconnect(other);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=1M", "nvme,addr=02:00.0,size=1M",
		NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stranger_without_a_claim),
		cmocka_unit_test(test_a_claim_is_a_stake),
		cmocka_unit_test(test_so_is_being_the_services_user),
		cmocka_unit_test(test_terminate),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
