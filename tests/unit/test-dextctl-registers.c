/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers: parsing, offsets, names. */
#include "tools/dextctl/config-space.h"
#include "tests/lib/cmocka-all.h"

#include <stdlib.h>
#include <string.h>

static void test_parsing(void **state)
{
	static const struct {
		const char *text;
		struct register_ref ref;
	} good[] = {
		{ "0", { REGISTER_AT, 0, 0, 0, false } },
		{ "40", { REGISTER_AT, 0, 0x40, 0, false } },
		{ "0x40", { REGISTER_AT, 0, 0x40, 0, false } },
		{ "40.w", { REGISTER_AT, 0, 0x40, 2, true } },
		{ "40+a.B", { REGISTER_AT, 0, 0x4a, 1, true } },
		{ "ffff", { REGISTER_AT, 0, 0xffff, 0, false } },
		{ "COMMAND", { REGISTER_AT, 0, 0x04, 2, false } },
		{ "command+1", { REGISTER_AT, 0, 0x05, 0, false } },
		{ "BASE_ADDRESS_5.l", { REGISTER_AT, 0, 0x24, 4, true } },
		{ "bist", { REGISTER_AT, 0, 0x0f, 1, false } },
		{ "CAP_PM", { REGISTER_IN_CAP, 0x01, 0, 0, false } },
		{ "cap_exp+8", { REGISTER_IN_CAP, 0x10, 8, 0, false } },
		{ "CAP10+8.w", { REGISTER_IN_CAP, 0x10, 8, 2, true } },
		{ "ECAP_AER+4.l", { REGISTER_IN_ECAP, 0x0001, 4, 4, true } },
		{ "ECAP001e", { REGISTER_IN_ECAP, 0x1e, 0, 0, false } },
	};
	static const char *const bad[] = { "", "+", "+8", "40+", "40.", "40.q", "40.ww", "-1", "4g",
		"COMMANDS", "CAP", "CAP_", "CAP_FOO", "CAP_AER", "ECAP_MSI", "CAP100", "ECAP10000",
		"40+8+8", "40.w+8", "100000000", "COMMAND 4",
		"COMMANDCOMMANDCOMMANDCOMMANDCOMMANDCOMMAND" };
	struct register_ref ref;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_null(register_parse(good[i].text, &ref));
		assert_int_equal(ref.where, good[i].ref.where);
		assert_int_equal(ref.cap, good[i].ref.cap);
		assert_int_equal(ref.offset, good[i].ref.offset);
		assert_int_equal(ref.width, good[i].ref.width);
		assert_int_equal(ref.width_given, good[i].ref.width_given);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(register_parse(bad[i], &ref));
}

/* Two vendor specific capabilities, one without a name, and extended ones. */
static const struct cap_list caps = { .count = 5,
	.caps = {
		{ .id = 0x09, .offset = 0x60, .symbol = "VNDR" },
		{ .id = 0x09, .offset = 0x40, .symbol = "VNDR" },
		{ .id = 0x0e, .offset = 0x80 },
		{ .id = 0x01, .offset = 0x100, .extended = true, .symbol = "AER" },
		{ .id = 0x2e, .offset = 0x148, .extended = true },
	} };

static void test_finding(void **state)
{
	static const struct {
		const char *text;
		uint64_t offset;
	} there[] = { { "44", 0x44 }, { "CAP_VNDR+2", 0x62 }, { "CAP0e", 0x80 },
		{ "ECAP_AER+4", 0x104 }, { "ECAP2e", 0x148 } };
	static const char *const absent[] = { "CAP_PM", "ECAP_SRIOV", "ECAP09", "CAP01" };
	struct register_ref ref;
	uint64_t offset;

	(void)state;
	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
		assert_null(register_parse(there[i].text, &ref));
		assert_true(register_find(&ref, &caps, &offset));
		assert_int_equal(offset, there[i].offset);
	}
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		assert_null(register_parse(absent[i], &ref));
		assert_false(register_find(&ref, &caps, &offset));
	}
}

static void test_names(void **state)
{
	static const struct {
		uint64_t offset;
		const char *name;
	} names[] = {
		{ 0x00, "VENDOR_ID" },
		{ 0x05, "COMMAND+1" },
		{ 0x13, "BASE_ADDRESS_0+3" },
		{ 0x35, "" },
		{ 0x3f, "MAX_LAT" },
		{ 0x44, "" }, /* CAP_VNDR is the first one */
		{ 0x60, "CAP_VNDR" },
		{ 0x6c, "CAP_VNDR+c" },
		{ 0x80, "CAP0e" },
		{ 0xff, "CAP0e+7f" },
		{ 0x100, "ECAP_AER" },
		{ 0x147, "ECAP_AER+47" },
		{ 0xfff, "ECAP002e+eb7" },
	};
	char text[REGISTER_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(register_name(names[i].offset, &caps, text), names[i].name);
	assert_string_equal(register_name(0x04, NULL, text), "COMMAND");
	assert_string_equal(register_name(0x44, NULL, text), "");
}

/* The name of each offset is parsed to that offset. */
static void test_names_lead_back(void **state)
{
	char text[REGISTER_NAME_SIZE];
	struct register_ref ref;
	uint64_t found;

	(void)state;
	for (uint64_t offset = 0; offset < 4096; offset++) {
		if (!*register_name(offset, &caps, text))
			continue;
		assert_null(register_parse(text, &ref));
		assert_true(register_find(&ref, &caps, &found));
		assert_int_equal(found, offset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsing),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_lead_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
