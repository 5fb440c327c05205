/* SPDX-License-Identifier: BSD-3-Clause */
/* The ABI, row by row, through IOKit's calls alone: counts, preconditions, unknown selectors. */
#include "tests/lib/rig.h"
#include "tests/lib/cmocka-all.h"

#include <IOKit/IOKitLib.h>
#include <dext-abi.h>

static struct rig rig;

static const struct row {
	uint32_t number;
	const char *name;
	uint32_t in, out;
	enum dext_need needs;
} rows[] = {
#define ROW(number, name, in, out, needs) { number, #name, in, out, needs },
	DEXT_SELECTORS(ROW) DEXT_EXTENSION_SELECTORS(ROW)
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static io_connect_t open_client(void)
{
	io_service_t service =
		IOServiceGetMatchingService(kIOMainPortDefault, IOServiceMatching("IOUserService"));
	io_connect_t connection = IO_OBJECT_NULL;

	assert_int_not_equal(service, IO_OBJECT_NULL);
	assert_int_equal(
		IOServiceOpen(service, mach_task_self(), 0, &connection), kIOReturnSuccess);
	IOObjectRelease(service);
	return connection;
}

static kern_return_t call(io_connect_t connection, uint32_t selector, uint32_t in, uint32_t out)
{
	uint64_t input[16] = { 0 }, output[16];

	return IOConnectCallScalarMethod(connection, selector, input, in, output, &out);
}

static void test_the_numbers_are_fixed(void **state)
{
	(void)state;
	/* Programs have been compiled with these numbers. */
	assert_int_equal(DEXT_SELECTOR_GetIdentity, 0);
	assert_int_equal(DEXT_SELECTOR_RegisterDMARegion, 5);
	assert_int_equal(DEXT_SELECTOR_ConfigRead, 8);
	assert_int_equal(DEXT_SELECTOR_WaitInterrupt, 15);
	assert_int_equal(DEXT_SELECTOR_ResetDevice, 17);
	for (uint32_t i = 0; i < 18; i++)
		assert_int_equal(rows[i].number, i);
}

static void test_too_few_scalars_in(void **state)
{
	io_connect_t connection = open_client();

	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].in)
			assert_int_equal(call(connection, rows[i].number, rows[i].in - 1, 16),
				kIOReturnBadArgument);
	IOServiceClose(connection);
}

static void test_too_small_output(void **state)
{
	io_connect_t connection = open_client();

	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].out)
			assert_int_equal(
				call(connection, rows[i].number, rows[i].in, rows[i].out - 1),
				kIOReturnBadArgument);
	IOServiceClose(connection);
}

static void test_preconditions(void **state)
{
	io_connect_t connection = open_client();

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		kern_return_t expected =
			rows[i].needs == DEXT_NEEDS_CLAIM ? kIOReturnNotOpen : kIOReturnNotReady;

		/*
		 * The precondition DEXT_NEEDS_STAKE is met: the client has the service's own user
		 * (test-stake.c).
		 */
		if (rows[i].needs == DEXT_NEEDS_CLAIM || rows[i].needs == DEXT_NEEDS_INTERRUPTS)
			assert_int_equal(call(connection, rows[i].number, rows[i].in, rows[i].out),
				expected);
	}
	IOServiceClose(connection);
}

static void test_unknown_selectors(void **state)
{
	const uint32_t unknown[] = { 18, 19, 255, 0xfff, 0x1000 + ROWS - 18, 0x80000000,
		UINT32_MAX };
	io_connect_t connection = open_client();

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		assert_int_equal(call(connection, unknown[i], 16, 16), kIOReturnUnsupported);
	IOServiceClose(connection);
}

static void test_null_pointers_and_counts(void **state)
{
	io_connect_t connection = open_client();
	uint64_t in[32] = { 0 }, out[32];
	uint32_t count = 32;

	(void)state;
	assert_int_equal(IOConnectCallScalarMethod(connection, 8, NULL, 2, out, &count),
		kIOReturnBadArgument);
	assert_int_equal(IOConnectCallScalarMethod(connection, 8, in, 17, out, &count),
		kIOReturnBadArgument);
	count = 0;
	assert_int_equal(IOConnectCallScalarMethod(connection, 0, NULL, 0, NULL, &count),
		kIOReturnBadArgument);
	assert_int_equal(
		IOConnectCallScalarMethod(connection, 0, NULL, 0, out, NULL), kIOReturnBadArgument);
	/*
	 * A larger output count than in the table is valid; the count returned is that of the
	 * table.
	 */
	count = 32;
	assert_int_equal(
		IOConnectCallScalarMethod(connection, 0, NULL, 0, out, &count), kIOReturnSuccess);
	assert_int_equal(count, DEXT_OUT_GetIdentity);
	IOServiceClose(connection);
}

static void test_async_wait_only(void **state)
{
	io_connect_t connection = open_client();

	(void)state;
	assert_int_equal(call(connection, DEXT_SELECTOR_Claim, 0, 0), kIOReturnSuccess);
	assert_int_equal(call(connection, DEXT_SELECTOR_SetupInterrupts, 0, 1), kIOReturnSuccess);
	assert_int_equal(call(connection, DEXT_SELECTOR_WaitInterrupt, 0, 0), kIOReturnBadArgument);
	IOServiceClose(connection);
}

static void test_handles(void **state)
{
	io_connect_t connection = open_client(), other = open_client(), third;
	uint64_t out[16];
	uint32_t count = 16;

	(void)state;
	assert_int_equal(IOServiceClose(connection), kIOReturnSuccess);
	assert_int_equal(IOServiceClose(connection), kIOReturnBadArgument);
	assert_int_equal(IOConnectCallScalarMethod(connection, 0, NULL, 0, out, &count),
		kIOReturnBadArgument);
	/* A reused slot has another name. */
	third = open_client();
	assert_int_not_equal(third, connection);
	assert_int_equal(IOServiceClose(0xdeadbeef), kIOReturnBadArgument);
	assert_int_equal(IOServiceClose(mach_task_self()), kIOReturnBadArgument);
	assert_int_equal(IOObjectRelease(IO_OBJECT_NULL), kIOReturnBadArgument);
	IOServiceClose(other);
	IOServiceClose(third);
}

static void test_only_type_zero_opens(void **state)
{
	io_service_t service = IOServiceGetMatchingService(
		kIOMainPortDefault, IOServiceNameMatching("VFIOUserPCIDriver"));
	io_connect_t connection;

	(void)state;
	assert_int_not_equal(service, IO_OBJECT_NULL);
	assert_int_equal(
		IOServiceOpen(service, mach_task_self(), 1, &connection), kIOReturnUnsupported);
	assert_int_equal(connection, IO_OBJECT_NULL);
	assert_int_equal(IOServiceOpen(service, 0, 0, &connection), kIOReturnBadArgument);
	assert_int_equal(IOServiceOpen(service, mach_task_self(), 0, NULL), kIOReturnBadArgument);
	IOObjectRelease(service);
}

static void test_matching(void **state)
{
	const char *found[] = { "IOUserService", "IOService", "VFIOUserPCIDriver" };
	io_service_t service;
	io_iterator_t iterator;
	CFTypeRef class;
	char text[64];
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		service = IOServiceGetMatchingService(
			kIOMainPortDefault, IOServiceMatching(found[i]));
		assert_int_not_equal(service, IO_OBJECT_NULL);
		IOObjectRelease(service);
	}
	assert_int_equal(IOServiceGetMatchingService(
				 kIOMainPortDefault, IOServiceMatching("AppleUSBDevice")),
		IO_OBJECT_NULL);
	assert_int_equal(IOServiceGetMatchingServices(
				 kIOMainPortDefault, IOServiceMatching("IOService"), &iterator),
		kIOReturnSuccess);
	service = IOIteratorNext(iterator);
	assert_true(IOObjectConformsTo(service, "IOService"));
	assert_false(IOObjectConformsTo(service, "IOUSBDevice"));
	class = IORegistryEntryCreateCFProperty(
		service, CFSTR("IOUserClass"), kCFAllocatorDefault, 0);
	assert_int_equal(CFGetTypeID(class), CFStringGetTypeID());
	assert_true(CFStringGetCString(class, text, sizeof(text), kCFStringEncodingUTF8));
	assert_string_equal(text, "VFIOUserPCIDriver");
	CFRelease(class);
	assert_null(IORegistryEntryCreateCFProperty(
		service, CFSTR("NoSuchKey"), kCFAllocatorDefault, 0));
	assert_int_equal(IORegistryEntryGetRegistryEntryID(service, &id), kIOReturnSuccess);
	assert_int_not_equal(id, 0);
	IOObjectRelease(service);
	IOIteratorReset(iterator);
	service = IOIteratorNext(iterator);
	assert_int_not_equal(service, IO_OBJECT_NULL);
	IOObjectRelease(service);
	IOObjectRelease(iterator);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=16M", NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_numbers_are_fixed),
		cmocka_unit_test(test_too_few_scalars_in),
		cmocka_unit_test(test_too_small_output),
		cmocka_unit_test(test_preconditions),
		cmocka_unit_test(test_unknown_selectors),
		cmocka_unit_test(test_null_pointers_and_counts),
		cmocka_unit_test(test_async_wait_only),
		cmocka_unit_test(test_handles),
		cmocka_unit_test(test_only_type_zero_opens),
		cmocka_unit_test(test_matching),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
