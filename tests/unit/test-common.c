/* SPDX-License-Identifier: BSD-3-Clause */
/* Parsing of numbers, sizes and PCI addresses; formatting of addresses. */
#include "common/poll-policy.h"
#include "common/number.h"
#include "common/pci-address.h"
#include "tests/lib/cmocka-all.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef const char *(*parser)(const char *text, uint64_t max, uint64_t *value);

struct number {
	const char *text;
	uint64_t value;
};

static void assert_good(parser parse, const struct number *good, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = ~good[i].value;

		assert_null(parse(good[i].text, UINT64_MAX, &value));
		assert_int_equal(value, good[i].value);
		value = ~good[i].value;
		assert_null(parse(good[i].text, good[i].value, &value));
		assert_int_equal(value, good[i].value);
		if (good[i].value) {
			assert_non_null(parse(good[i].text, good[i].value - 1, &value));
			assert_int_equal(value, good[i].value);
		}
	}
}

static void assert_bad(parser parse, const char *const *bad, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 7;

		assert_non_null(parse(bad[i], UINT64_MAX, &value));
		assert_int_equal(value, 7);
	}
}

static void test_numbers(void **state)
{
	static const struct number good[] = { { "0", 0 }, { "010", 10 }, { "0x1c", 0x1c },
		{ "0XFf", 0xff }, { "18446744073709551615", UINT64_MAX },
		{ "0xffffffffffffffff", UINT64_MAX } };
	static const char *const bad[] = { "", "0x", "-1", "+1", " 1", "1 ", "1k", "ff", "0xg",
		"18446744073709551616", "0x10000000000000000", "99999999999999999999999",
		"99999999999999999999999x" };

	(void)state;
	assert_good(number_parse, good, COUNT(good));
	assert_bad(number_parse, bad, COUNT(bad));
	assert_string_equal(number_parse("99999999999999999999999x", 1, &(uint64_t){ 0 }),
		"expected a number, decimal or 0x and hex");
}

static void test_hex(void **state)
{
	static const struct number good[] = { { "0", 0 }, { "40", 0x40 }, { "0x40", 0x40 },
		{ "0X1f", 0x1f }, { "fF", 0xff }, { "ffffffffffffffff", UINT64_MAX } };
	static const char *const bad[] = { "", "0x", "-1", "g", "0x0x1", "40 ", "4K", "x40",
		"10000000000000000" };

	(void)state;
	assert_good(number_parse_hex, good, COUNT(good));
	assert_bad(number_parse_hex, bad, COUNT(bad));
}

static void test_sizes(void **state)
{
	static const struct number good[] = { { "0", 0 }, { "512", 512 }, { "0x200", 512 },
		{ "4K", 4096 }, { "4k", 4096 }, { "0x10K", 16384 }, { "16M", 16 << 20 },
		{ "1G", 1 << 30 }, { "3t", UINT64_C(3) << 40 },
		{ "16777215T", UINT64_C(16777215) << 40 } };
	static const char *const bad[] = { "", "K", "M", "-1", "1KB", "1P", "12x", "0x", "0xK",
		"1.5G", "16777216T", "18014398509481984K", " 1K", "1 K" };

	(void)state;
	assert_good(number_parse_size, good, COUNT(good));
	assert_bad(number_parse_size, bad, COUNT(bad));
}

static void test_addresses(void **state)
{
	static const char *const good[] = { "0a:1f.7", "a:1f.7", "0A:1F.7", "0000:0a:1f.7",
		"0:a:1f.7", "00a:01f.7" };
	struct pci_address address;
	bool rooted;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		memset(&address, 0xff, sizeof(address));
		rooted = true;
		assert_null(pci_address_parse(good[i], &address, i % 2 ? &rooted : NULL));
		assert_int_equal(rooted, !(i % 2));
		assert_int_equal(address.bus, 0x0a);
		assert_int_equal(address.device, 0x1f);
		assert_int_equal(address.function, 7);
		assert_string_equal(address.root, "");
	}
}

static void test_invalid_addresses(void **state)
{
	static const char *const bad[] = { "", "01", "01:00", "01:00.", ":00.0", "01:.0",
		"01:00.0 ", " 01:00.0", "0g:00.0", "01-00.0", "01:00:0", "0000:01:00",
		"0000:01:00.", "::01:00.0", "0:0:01:00.0", "00001:00.0", "00000:01:00.0",
		"01:00.00000", "nowhere" };
	static const struct {
		const char *text, *problem;
	} out_of_range[] = {
		{ "100:00.0", "expected a bus of 00 to ff in the address BB:DD.F" },
		{ "01:20.0", "expected a device of 00 to 1f in the address BB:DD.F" },
		{ "0000:01:ff.0", "expected a device of 00 to 1f in the address BB:DD.F" },
		{ "01:00.8", "expected a function of 0 to 7 in the address BB:DD.F" },
		{ "0001:01:00.0", "expected the PCI domain 0000: other roots have names, as in "
				  "ROOT/01:00.0" },
	};
	struct pci_address address = { .bus = 9 };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_string_equal(pci_address_parse(bad[i], &address, NULL),
			"expected an address BB:DD.F in hex, such as 01:00.0");
	for (size_t i = 0; i < COUNT(out_of_range); i++)
		assert_string_equal(pci_address_parse(out_of_range[i].text, &address, NULL),
			out_of_range[i].problem);
	assert_int_equal(address.bus, 9);
}

static void assert_root(const char *text, const char *root)
{
	struct pci_address address;
	bool rooted = false;

	assert_null(pci_address_parse(text, &address, &rooted));
	assert_true(rooted);
	assert_string_equal(address.root, root);
	assert_int_equal(address.bus, 1);
	assert_int_equal(address.device, 0x1f);
}

static void test_roots(void **state)
{
	static const char *const bad[] = { "left/", "left", "le ft/01:00.0", "a/b/01:00.0",
		"sixteen-letters-/01:00.0", "\xc3\xa9/01:00.0", "left/01:20.0", "left:01:00.0" };
	struct pci_address address;
	bool rooted;

	(void)state;
	assert_root("/01:1f.7", "");
	assert_root("left/1:1f.7", "left");
	assert_root("left/0000:01:1f.7", "left");
	assert_root("A.z_0-9/01:1f.7", "A.z_0-9");
	assert_root("fifteen-letters/01:1f.7", "fifteen-letters");
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_non_null(pci_address_parse(bad[i], &address, &rooted));
	/* Where a root is optional, a slash still needs a name before it. */
	assert_non_null(pci_address_parse("/01:00.0", &address, NULL));
	assert_null(pci_address_parse("left/01:00.0", &address, NULL));
}

static void test_formatting(void **state)
{
	struct pci_address address = { .bus = 1, .device = 0x1f, .function = 7 };
	char text[PCI_ADDRESS_SIZE];

	(void)state;
	assert_string_equal(pci_address_format(&address, text), "01:1f.7");
	strcpy(address.root, "left");
	assert_string_equal(pci_address_format(&address, text), "left/01:1f.7");
	/* A name from a driver that does not follow the rules. */
	strcpy(address.root, "\033[2J");
	assert_string_equal(pci_address_format(&address, text), "??2J/01:1f.7");
	memset(address.root, 'x', sizeof(address.root));
	assert_string_equal(pci_address_format(&address, text), "xxxxxxxxxxxxxxx/01:1f.7");
}

static void test_equality(void **state)
{
	const struct pci_address one = { 1, 2, 3, "left" }, same = { 1, 2, 3, "left" };
	const struct pci_address others[] = { { 0, 2, 3, "left" }, { 1, 0, 3, "left" },
		{ 1, 2, 0, "left" }, { 1, 2, 3, "lef" }, { 1, 2, 3, "" } };

	(void)state;
	assert_true(pci_address_equal(&one, &same));
	for (size_t i = 0; i < COUNT(others); i++)
		assert_false(pci_address_equal(&one, &others[i]));
}

/* --- The policy of polling ------------------------------------------------------------------ */

static void add_short_waits(struct poll_policy *policy, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		poll_policy_waited(policy, true);
}

static void polling_begins_after_short_waits_in_a_row(void **state)
{
	struct poll_policy policy;

	(void)state;
	poll_policy_init(&policy);
	add_short_waits(&policy, POLL_POLICY_MIN - 1);
	poll_policy_waited(&policy, false);
	add_short_waits(&policy, POLL_POLICY_MIN - 1);
	assert_false(poll_policy_polls(&policy));
	add_short_waits(&policy, 1);
	assert_true(poll_policy_polls(&policy));
	poll_policy_hit(&policy);
	assert_true(poll_policy_polls(&policy));
}

static void polling_without_success_becomes_rare(void **state)
{
	struct poll_policy policy;
	unsigned polls = 0;

	(void)state;
	poll_policy_init(&policy);
	for (unsigned i = 0; i < 4 * POLL_POLICY_MAX; i++) {
		poll_policy_waited(&policy, true);
		if (!poll_policy_polls(&policy))
			continue;
		polls++;
		poll_policy_miss(&policy);
	}
	/* 2, 4, ... 1024, then every 1024th time. */
	assert_in_range(polls, 10, 13);
	for (unsigned i = 0; i < POLL_POLICY_FORGET; i++)
		poll_policy_hit(&policy);
	add_short_waits(&policy, POLL_POLICY_MIN);
	assert_true(poll_policy_polls(&policy));
}

static void a_few_long_waits_do_not_prevent_polling(void **state)
{
	struct poll_policy policy;
	unsigned waits = 0;

	(void)state;
	poll_policy_init(&policy);
	while (policy.needed < POLL_POLICY_MAX)
		poll_policy_miss(&policy);
	/* One in 50 is long. */
	for (; !poll_policy_polls(&policy) && waits < 4 * POLL_POLICY_MAX; waits++)
		poll_policy_waited(&policy, waits % 50 != 0);
	assert_in_range(waits, POLL_POLICY_MAX, 2 * POLL_POLICY_MAX);
	/* One in ten is: polling does not pay. */
	poll_policy_miss(&policy);
	for (waits = 0; waits < 4 * POLL_POLICY_MAX; waits++)
		poll_policy_waited(&policy, waits % 10 != 0);
	assert_false(poll_policy_polls(&policy));
}

static void polls_take_as_long_as_waits_need(void **state)
{
	struct poll_span span;

	(void)state;
	poll_span_init(&span, 100, 2000);
	assert_int_equal(poll_span_ns(&span), 100);
	for (unsigned i = 0; i < 100; i++)
		poll_span_waited(&span, 150);
	assert_in_range(poll_span_ns(&span), POLL_SPAN_FACTOR * 130, POLL_SPAN_FACTOR * 150);
	/* Those that no poll can meet change nothing. */
	for (unsigned i = 0; i < 100; i++)
		poll_span_waited(&span, 2001);
	assert_in_range(poll_span_ns(&span), POLL_SPAN_FACTOR * 130, POLL_SPAN_FACTOR * 150);
	for (unsigned i = 0; i < 100; i++)
		poll_span_waited(&span, 2000);
	assert_int_equal(poll_span_ns(&span), 2000);
	for (unsigned i = 0; i < 100; i++)
		poll_span_waited(&span, 0);
	assert_int_equal(poll_span_ns(&span), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(polling_begins_after_short_waits_in_a_row),
		cmocka_unit_test(polling_without_success_becomes_rare),
		cmocka_unit_test(a_few_long_waits_do_not_prevent_polling),
		cmocka_unit_test(polls_take_as_long_as_waits_need),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_invalid_addresses),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_formatting),
		cmocka_unit_test(test_equality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
