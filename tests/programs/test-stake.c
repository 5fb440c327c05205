/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Selectors that concern other clients, called by a client without a claim, for each row of the
 * ABI table: all are refused, unless the client has the service's own user or root. The driver is
 * in this process, and the test sets the client's privilege.
 */
#include "tests/lib/asserts.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <iokit-user/service.h>

static struct rig rig;
static bool privileged;

/*
 * Replaces the runtime's function (linker option --wrap): the driver is linked into this program.
 */
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

static void test_another_user_without_a_claim(void **state)
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
	/* At least Terminate, the two lists, TriggerInterrupt and RemoveDevice. */
	assert_true(refused >= 5);
	assert_fails(apple_dext_map_trace(stranger, &address), kIOReturnNotPrivileged);
	assert_fails(apple_dext_claim(stranger), kIOReturnExclusiveAccess);
	/* The calls had no effect: the device is usable by its holder. */
	assert_ok(apple_dext_reset_device(holder));
	apple_dext_disconnect(holder);
	apple_dext_disconnect(stranger);
}

static void test_with_a_claim(void **state)
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

static void test_as_the_services_user(void **state)
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
	/* It still has no claim. */
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
		cmocka_unit_test(test_another_user_without_a_claim),
		cmocka_unit_test(test_with_a_claim),
		cmocka_unit_test(test_as_the_services_user),
		cmocka_unit_test(test_terminate),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
