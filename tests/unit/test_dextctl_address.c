/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses with and without a root, and lists of vectors. */
#include "tools/dextctl/address.h"
#include "tools/dextctl/vectors.h"
#include "tests/unit/cmocka-all.h"

#include <string.h>

static void assert_parses(const char *text, bool rooted, const char *root)
{
	struct address address;

	assert_null(address_parse(text, &address));
	assert_int_equal(address.rooted, rooted);
	assert_string_equal(address.root, root);
	assert_int_equal(address.at.bus, 1);
	assert_int_equal(address.at.device, 0x1f);
	assert_int_equal(address.at.function, 7);
}

static void test_roots(void **state)
{
	static const char *const bad[] = {"left/", "left", "le ft/01:00.0", "a/b/01:00.0",
		"sixteen-letters-/01:00.0", "\xc3\xa9/01:00.0", "left/01:20.0", "left:01:00.0"};
	struct address address;

	(void)state;
	assert_parses("01:1f.7", false, "");
	assert_parses("/01:1f.7", true, "");
	assert_parses("left/1:1f.7", true, "left");
	assert_parses("A.z_0-9/01:1f.7", true, "A.z_0-9");
	assert_parses("fifteen-letters/01:1f.7", true, "fifteen-letters");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(address_parse(bad[i], &address));
}

static AppleDextDevice device(const char *root, uint8_t bus)
{
	AppleDextDevice device = {.identity = {.bus = bus}};

	strncpy(device.root, root, sizeof(device.root) - 1);
	return device;
}

static void test_matching(void **state)
{
	static const struct {
		const char *text, *root;
		uint8_t bus;
		bool same;
	} cases[] = {
		{"01:00.0", "", 1, true},
		{"01:00.0", "left", 1, true},
		{"01:00.0", "", 2, false},
		{"01:00.1", "", 1, false},
		{"01:01.0", "", 1, false},
		{"left/01:00.0", "left", 1, true},
		{"left/01:00.0", "right", 1, false},
		{"left/01:00.0", "lef", 1, false},
		{"left/01:00.0", "", 1, false},
		{"left/01:00.0", "left", 2, false},
		{"/01:00.0", "", 1, true},
		{"/01:00.0", "left", 1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AppleDextDevice one = device(cases[i].root, cases[i].bus);
		struct address address;

		assert_null(address_parse(cases[i].text, &address));
		assert_int_equal(address_is(&address, &one), cases[i].same);
	}
}

static void test_formatting(void **state)
{
	AppleDextDevice one = device("left", 1);
	char text[ADDRESS_SIZE];

	(void)state;
	address_format("", &one.identity, text);
	assert_string_equal(text, "01:00.0");
	address_format(one.root, &one.identity, text);
	assert_string_equal(text, "left/01:00.0");
	/* From a driver that does not keep to the rules. */
	address_format("\033[2J", &one.identity, text);
	assert_string_equal(text, "??2J/01:00.0");
	memset(one.root, 'x', sizeof(one.root));
	address_format(one.root, &one.identity, text);
	assert_string_equal(text, "xxxxxxxxxxxxxxx/01:00.0");
}

static void test_vectors(void **state)
{
	static const char *const bad[] = {"", ",", "1,", ",1", "1,,2", "-", "1-", "-1", "2-1",
		"256", "0-256", "a", "1 ", "1-2-3", "0x", "99999999999999999999999"};
	uint64_t mask[DEXT_IRQ_WORDS];

	(void)state;
	assert_null(vectors_parse("0,62-65,0xff", mask));
	for (unsigned vector = 0; vector < DEXT_VECTORS_MAX; vector++)
		assert_int_equal(vectors_has(mask, vector), vector == 0 || vector == 255 ||
			(vector >= 62 && vector <= 65));
	assert_int_equal(vectors_count(mask, 256), 6);
	assert_int_equal(vectors_count(mask, 64), 3);
	assert_int_equal(vectors_count(mask, 0), 0);
	/* A second list does not add to the first. */
	assert_null(vectors_parse("3", mask));
	assert_int_equal(mask[0], 8);
	assert_int_equal(mask[1] | mask[2] | mask[3], 0);
	assert_null(vectors_parse("0-255", mask));
	assert_int_equal(vectors_count(mask, 300), 256);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(vectors_parse(bad[i], mask));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_formatting),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
