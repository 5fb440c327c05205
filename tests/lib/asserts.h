/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of results, and connections to the device at 01:00.0. A failure fails the test. */
#ifndef TESTS_LIB_ASSERTS_H
#define TESTS_LIB_ASSERTS_H

#include "tests/lib/cmocka-all.h"

#include <apple-dext-client.h>

#define assert_ok(call)		 assert_int_equal((call), kIOReturnSuccess)
#define assert_fails(call, code) assert_int_equal((call), (code))

static inline io_connect_t connect_device(void)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);

	assert_int_not_equal(connection, IO_OBJECT_NULL);
	assert_string_equal(apple_dext_last_error(), "");
	return connection;
}

/* The device at BUS:00.0. */
static inline io_connect_t claim_bus(uint8_t bus)
{
	io_connect_t connection = apple_dext_connect(bus, 0, 0);

	assert_int_not_equal(connection, IO_OBJECT_NULL);
	assert_ok(apple_dext_claim(connection));
	return connection;
}

static inline io_connect_t claim_device(void)
{
	io_connect_t connection = connect_device();

	assert_ok(apple_dext_claim(connection));
	return connection;
}

#endif
