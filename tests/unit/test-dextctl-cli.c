/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes and tables, as they are printed. */
#include "tools/cli.h"
#include "tests/lib/cmocka-all.h"

#include <stdlib.h>
#include <string.h>

static void test_sizes(void **state)
{
	static const struct {
		uint64_t size;
		const char *text;
	} sizes[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 256, "256" },
		{ 1025, "1025" },
		{ 16384, "16K" },
		{ 1536u << 10, "1536K" },
		{ UINT64_C(1) << 20, "1M" },
		{ UINT64_C(3) << 29, "1536M" },
		{ UINT64_C(1) << 63, "8E" },
		{ UINT64_MAX, "18446744073709551615" },
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
	static const char *const heads[] = { "A", "BEE", "C" };
	struct cli_table table = CLI_TABLE(heads);
	char *text;

	(void)state;
	text = print(&table);
	assert_string_equal(text, "A  BEE  C\n");
	free(text);

	cli_table_add(&table, (const char *[]){ "long", "1", "x" });
	/* Two bytes, but one column wide. */
	cli_table_add(&table, (const char *[]){ "\xc3\xa9", "1234", "y" });
	cli_table_add(&table, (const char *[]){ "z", "", "" });
	cli_table_add(&table, (const char *[]){ "", "", "w" });
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
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
