/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments in, tables out. */
#include "tools/cli.h"
#include "tests/unit/cmocka-all.h"

#include <stdlib.h>
#include <string.h>

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{"0", 0},
		{"010", 10},	/* not octal */
		{"0x1c", 0x1c},
		{"0XFf", 0xff},
		{"18446744073709551615", UINT64_MAX},
		{"0xffffffffffffffff", UINT64_MAX},
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		value = ~good[i].value;
		assert_null(cli_parse_number(good[i].text, UINT64_MAX, &value));
		assert_int_equal(value, good[i].value);
	}
}

static void test_bad_numbers(void **state)
{
	static const char *const bad[] = {"", "0x", "-1", "+1", " 1", "1 ", "1k", "ff", "0xg",
		"18446744073709551616", "0x10000000000000000", "99999999999999999999999"};
	uint64_t value = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(cli_parse_number(bad[i], UINT64_MAX, &value));
	assert_null(cli_parse_number("255", 255, &value));
	assert_non_null(cli_parse_number("256", 255, &value));
	assert_int_equal(value, 255);
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {"", "01", "01:00", "01:00.", ":00.0", "01:.0",
		"001:00.0", "01:000.0", "01:00.00", "01:00.0 ", " 01:00.0", "01:20.0", "01:00.8",
		"0g:00.0", "0000:01:00.0"};
	struct cli_address address = {0};
	char text[CLI_ADDRESS_SIZE];

	(void)state;
	assert_null(cli_parse_address("fE:1f.7", &address));
	assert_int_equal(address.bus, 0xfe);
	assert_int_equal(address.device, 0x1f);
	assert_int_equal(address.function, 7);
	cli_format_address(&address, text);
	assert_string_equal(text, "fe:1f.7");
	assert_null(cli_parse_address("1:0.0", &address));
	cli_format_address(&address, text);
	assert_string_equal(text, "01:00.0");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(cli_parse_address(bad[i], &address));
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t size;
		const char *text;
	} sizes[] = {
		{0, "0"},
		{1, "1"},
		{256, "256"},
		{1025, "1025"},
		{16384, "16K"},
		{1536u << 10, "1536K"},
		{UINT64_C(1) << 20, "1M"},
		{UINT64_C(3) << 29, "1536M"},
		{UINT64_C(1) << 63, "8E"},
		{UINT64_MAX, "18446744073709551615"},
	};
	char text[CLI_SIZE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cli_format_size(sizes[i].size, text);
		assert_string_equal(text, sizes[i].text);
	}
}

static char *print(const struct cli_table *table)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	cli_table_print(table, out);
	fclose(out);
	return text;
}

static void test_table(void **state)
{
	static const char *const heads[] = {"A", "BEE", "C"};
	struct cli_table table = CLI_TABLE(heads);
	char *text;

	(void)state;
	text = print(&table);
	assert_string_equal(text, "A  BEE  C\n");
	free(text);

	cli_table_add(&table, (const char *[]){"long", "1", "x"});
	/* Two bytes, but one column wide. */
	cli_table_add(&table, (const char *[]){"\xc3\xa9", "1234", "y"});
	cli_table_add(&table, (const char *[]){"z", "", ""});
	cli_table_add(&table, (const char *[]){"", "", "w"});
	text = print(&table);
	assert_string_equal(text, "A     BEE   C\n"
				  "long  1     x\n"
				  "\xc3\xa9     1234  y\n"
				  "z\n"
				  "            w\n");
	free(text);
	cli_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_bad_numbers),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
