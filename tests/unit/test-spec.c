/* SPDX-License-Identifier: BSD-3-Clause */
/* Device specifications: parsing, and the error for each kind of mistake. */
#include "provider/spec.h"
#include "tests/lib/cmocka-all.h"

#include <stdio.h>
#include <string.h>

static struct spec_error error;

static void test_a_specification_is_parsed(void **state)
{
	char text[] = "nvme,addr=01:00.0,image=a=b.img,serial=";
	struct device_spec spec;

	(void)state;
	assert_true(spec_parse(text, &spec, &error));
	memset(text, 'x', sizeof(text) - 1); /* the parser has its own copy */
	assert_string_equal(spec.type, "nvme");
	assert_int_equal(spec.count, 3);
	assert_string_equal(spec_get(&spec, "addr"), "01:00.0");
	assert_string_equal(spec_get(&spec, "image"), "a=b.img");
	assert_string_equal(spec_get(&spec, "serial"), "");
	assert_null(spec_get(&spec, "size"));
	spec_free(&spec);
	assert_true(spec_parse("edu", &spec, &error));
	assert_int_equal(spec.count, 0);
	spec_free(&spec);
}

static void assert_refused(const char *text, const char *expected)
{
	struct device_spec spec;

	memset(&error, 0, sizeof(error));
	assert_false(spec_parse(text, &spec, &error));
	assert_string_equal(error.text, expected);
	assert_null(spec.text);
}

static void test_invalid_specifications(void **state)
{
	(void)state;
	assert_refused("", "device \"\": it must begin with a type, as in nvme,addr=01:00.0,...");
	assert_refused(",addr=01:00.0",
		"device \",addr=01:00.0\": it must begin with a type, as in nvme,addr=01:00.0,...");
	assert_refused("addr=01:00.0,nvme",
		"device \"addr=01:00.0,nvme\": "
		"it must begin with a type, as in nvme,addr=01:00.0,...");
	assert_refused("nvme,size", "device \"nvme\": \"size\" is not key=value");
	assert_refused("nvme,=1", "device \"nvme\": \"=1\" is not key=value");
	assert_refused("nvme,", "device \"nvme\": \"\" is not key=value");
	assert_refused("nvme,,addr=01:00.0", "device \"nvme\": \"\" is not key=value");
	assert_refused("nvme,size=1,addr=0,size=2", "device \"nvme\": key \"size\" is given twice");
}

static void test_the_maximum_number_of_keys(void **state)
{
	struct device_spec spec;
	char text[512] = "t";

	(void)state;
	for (int i = 0; i < SPEC_KEYS_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ",k%d=%d", i, i);
	assert_true(spec_parse(text, &spec, &error));
	assert_int_equal(spec.count, SPEC_KEYS_MAX);
	spec_free(&spec);
	strcat(text, ",one=more");
	assert_refused(text, "device \"t\": more than 24 keys");
}

static void test_unknown_keys(void **state)
{
	const struct spec_key keys[] = { { "addr", "BB:DD.F", "" }, { "size", "SIZE", "" },
		{ NULL, NULL, NULL } };
	struct device_spec spec;

	(void)state;
	assert_true(spec_parse("nvme,size=1,addr=2", &spec, &error));
	assert_true(spec_check(&spec, keys, &error));
	spec_free(&spec);
	assert_true(spec_parse("nvme,size=1,siez=2", &spec, &error));
	assert_false(spec_check(&spec, keys, &error));
	assert_string_equal(error.text, "device \"nvme\": no key \"siez\" (it has: addr, size)");
	spec_free(&spec);
}

/* Parse the value of one key as a size. Return: false, with the error set, if invalid. */
static bool size_of(const char *value, uint64_t *size)
{
	struct device_spec spec;
	char text[64];
	bool good;

	snprintf(text, sizeof(text), "nvme,size=%s", value);
	assert_true(spec_parse(text, &spec, &error));
	good = spec_get_size(&spec, "size", 7, size, &error);
	spec_free(&spec);
	return good;
}

static void test_sizes(void **state)
{
	const struct {
		const char *text;
		uint64_t size;
	} good[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "512", 512 },
		{ "0x200", 512 },
		{ "0X1f", 31 },
		{ "4K", 4096 },
		{ "4k", 4096 },
		{ "16M", 16 << 20 },
		{ "1G", 1 << 30 },
		{ "3T", UINT64_C(3) << 40 },
		{ "18446744073709551615", UINT64_MAX },
		{ "16777215T", UINT64_C(16777215) << 40 },
	};
	const char *const bad[] = { "", "M", "-1", "+1", " 1", "1 ", "1KB", "1P", "12x", "0x",
		"0xg", "18446744073709551616", "16777216T", "18014398509481984K", "1.5G" };
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_true(size_of(good[i].text, &size));
		assert_true(size == good[i].size);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char expected[160];

		assert_false(size_of(bad[i], &size));
		snprintf(expected, sizeof(expected), "device \"nvme\": size=%s: ", bad[i]);
		assert_memory_equal(error.text, expected, strlen(expected));
	}
}

static bool number_of(const char *value, uint64_t *number)
{
	struct device_spec spec;
	char text[64];
	bool good;

	snprintf(text, sizeof(text), "nvme,queues=%s", value);
	assert_true(spec_parse(text, &spec, &error));
	good = spec_get_number(&spec, "queues", 2, 64, 7, number, &error);
	spec_free(&spec);
	return good;
}

static void test_numbers(void **state)
{
	const char *const bad[] = { "", "1", "65", "x", "-2", "+2", "2 ", "0x", "64K", "2.0",
		"99999999999999999999" };
	uint64_t number;

	(void)state;
	assert_true(number_of("2", &number));
	assert_int_equal(number, 2);
	assert_true(number_of("64", &number));
	assert_int_equal(number, 64);
	assert_true(number_of("0x10", &number));
	assert_int_equal(number, 16);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char expected[160];

		assert_false(number_of(bad[i], &number));
		snprintf(expected, sizeof(expected),
			"device \"nvme\": queues=%s is not a number from 2 to 64", bad[i]);
		assert_string_equal(error.text, expected);
	}
}

static void test_defaults(void **state)
{
	struct device_spec spec;
	uint64_t value = 0;

	(void)state;
	assert_true(spec_parse("nvme", &spec, &error));
	assert_true(spec_get_size(&spec, "size", 11, &value, &error));
	assert_int_equal(value, 11);
	/* The default need not be within the range. */
	assert_true(spec_get_number(&spec, "queues", 2, 4, 12, &value, &error));
	assert_int_equal(value, 12);
	spec_free(&spec);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "nvme", "device \"nvme\": no address (addr=BB:DD.F, as in addr=01:00.0)" },
		{ "nvme,addr=01:20.0", "device \"nvme\": addr=01:20.0: "
				       "expected a device of 00 to 1f in the address BB:DD.F" },
		{ "nvme,addr=/01:00.0", "device \"nvme\": addr=/01:00.0: "
					"expected the name of a PCI root before the '/'" },
	};
	struct pci_address address;
	struct device_spec spec;

	(void)state;
	assert_true(spec_parse("nvme,addr=left/0000:1:2.3", &spec, &error));
	assert_true(spec_get_address(&spec, &address, &error));
	assert_int_equal(address.bus, 1);
	assert_int_equal(address.device, 2);
	assert_int_equal(address.function, 3);
	assert_string_equal(address.root, "left");
	spec_free(&spec);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_true(spec_parse(bad[i].text, &spec, &error));
		assert_false(spec_get_address(&spec, &address, &error));
		assert_string_equal(error.text, bad[i].error);
		spec_free(&spec);
	}
}

/* An error for a long value: one line, truncated. */
static void test_errors_fit_their_buffer(void **state)
{
	static char text[4096];
	struct device_spec spec;

	(void)state;
	memset(text, 'y', sizeof(text) - 1);
	memcpy(text, "t,", 2);
	assert_false(spec_parse(text, &spec, &error));
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_specification_is_parsed),
		cmocka_unit_test(test_invalid_specifications),
		cmocka_unit_test(test_the_maximum_number_of_keys),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_errors_fit_their_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
