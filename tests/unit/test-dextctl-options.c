/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: options at any position, and errors. */
#include "tools/dextctl/dextctl.h"
#include "tools/option-table.h"
#include "tests/lib/cmocka-all.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 8

struct line {
	char *argv[WORDS_MAX + 2];
	int argc, first;
	struct ctl_options options;
	unsigned given;
};

/* Parse the words, which end with NULL. Return: false on an error. */
static bool parse(struct line *line, const char *const *words)
{
	static char program[] = "dextctl";

	*line = (struct line){ .argv = { program }, .argc = 1 };
	for (; *words; words++)
		line->argv[line->argc++] = (char *)(uintptr_t)*words;
	if (ctl_parse_options(line->argc, line->argv, &line->options, &line->given) !=
		OPTIONS_CONTINUE)
		return false;
	line->first = optind;
	return true;
}

#define PARSE(line, ...) parse(line, (const char *const[]){ __VA_ARGS__, NULL })

static void test_defaults(void **state)
{
	struct line line;

	(void)state;
	assert_true(PARSE(&line, "config", "read", "01:00.0", "0x10"));
	assert_int_equal(line.first, 1);
	assert_int_equal(line.options.width, 0);
	assert_int_equal(line.options.count, 0);
	assert_false(line.options.json || line.options.numeric || line.options.help);
	assert_null(line.options.socket);
	assert_int_equal(line.given, 0);
}

static void test_options_anywhere(void **state)
{
	struct line line;

	(void)state;
	assert_true(PARSE(&line, "--json", "bar", "-w8", "read", "--socket=/s", "01:00.0", "-n"));
	assert_int_equal(line.argc - line.first, 3);
	assert_string_equal(line.argv[line.first], "bar");
	assert_string_equal(line.argv[line.first + 2], "01:00.0");
	assert_int_equal(line.options.width, 8);
	assert_true(line.options.json && line.options.numeric);
	assert_string_equal(line.options.socket, "/s");
	assert_int_equal(line.given, CTL_TAKES_WIDTH);
	assert_true(PARSE(&line, "irq", "watch", "-c", "0x10"));
	assert_int_equal(line.options.count, 16);
	assert_int_equal(line.given, CTL_TAKES_COUNT);
	assert_null(line.options.mask);
	assert_true(PARSE(&line, "irq", "-m", "0,4-7", "watch"));
	assert_string_equal(line.options.mask, "0,4-7");
	assert_int_equal(line.given, CTL_TAKES_MASK);
}

static void test_mistakes(void **state)
{
	struct line line;

	(void)state;
	assert_false(PARSE(&line, "list", "--bogus"));
	assert_false(PARSE(&line, "list", "-x"));
	assert_false(PARSE(&line, "list", "--socket"));
	assert_false(PARSE(&line, "list", "--socket", ""));
	assert_false(PARSE(&line, "list", "--json=1"));
	assert_false(PARSE(&line, "bar", "-w", "four"));
	assert_false(PARSE(&line, "bar", "-w", "0"));
	assert_false(PARSE(&line, "bar", "-w", "16"));
	assert_false(PARSE(&line, "irq", "-c", "-1"));
	assert_false(PARSE(&line, "irq", "-c", "4294967296"));
}

static void test_options_of_other_commands(void **state)
{
	const struct ctl_command wide = { .name = "wide", .options = CTL_TAKES_WIDTH };
	const struct ctl_command plain = { .name = "plain" };

	(void)state;
	assert_true(ctl_check_given(&wide, CTL_TAKES_WIDTH));
	assert_true(ctl_check_given(&plain, 0));
	assert_false(ctl_check_given(&plain, CTL_TAKES_WIDTH));
	assert_false(ctl_check_given(&wide, CTL_TAKES_WIDTH | CTL_TAKES_COUNT));
}

static void test_widths(void **state)
{
	(void)state;
	for (uint64_t width = 0; width < 20; width++) {
		assert_int_equal(ctl_check_width(width, 4), width == 1 || width == 2 || width == 4);
		assert_int_equal(ctl_check_width(width, 8),
			width == 1 || width == 2 || width == 4 || width == 8);
	}
}

static void test_accesses(void **state)
{
	(void)state;
	assert_true(ctl_check_access("it", 0, 4, 4096));
	assert_true(ctl_check_access("it", 4092, 4, 4096));
	assert_false(ctl_check_access("it", 4094, 4, 4096));
	assert_false(ctl_check_access("it", 4096, 1, 4096));
	assert_false(ctl_check_access("it", 0, 8, 4));
	assert_false(ctl_check_access("it", UINT64_MAX - 7, 8, 4096));
	assert_false(ctl_check_access("it", 0, 1, 0));
	assert_true(ctl_check_access("it", UINT64_MAX - 15, 8, UINT64_MAX));
}

static void test_values(void **state)
{
	(void)state;
	assert_true(ctl_check_value(0xff, 1));
	assert_false(ctl_check_value(0x100, 1));
	assert_true(ctl_check_value(UINT32_MAX, 4));
	assert_false(ctl_check_value(UINT64_C(1) << 32, 4));
	assert_true(ctl_check_value(UINT64_MAX, 8));
}

static void test_statuses(void **state)
{
	(void)state;
	assert_string_equal(ctl_status_name(kIOReturnSuccess), "kIOReturnSuccess");
	assert_string_equal(ctl_status_name(kIOReturnNotFound), "kIOReturnNotFound");
	assert_null(ctl_status_name((kern_return_t)0x1234));
	assert_string_equal(ctl_status_text(kIOReturnOffline), "the driver or its device has gone");
	assert_string_equal(ctl_status_text((kern_return_t)0x1234), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_options_anywhere),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_options_of_other_commands),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_accesses),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
