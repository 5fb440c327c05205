/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of interrupt vectors. */
#include "tools/dextctl/dextctl.h"
#include "tests/lib/cmocka-all.h"

static void test_vectors(void **state)
{
	static const char *const bad[] = { "", ",", "1,", ",1", "1,,2", "-", "1-", "-1", "2-1",
		"256", "0-256", "a", "1 ", "1-2-3", "0x", "99999999999999999999999" };
	uint64_t mask[DEXT_IRQ_WORDS];

	(void)state;
	assert_true(ctl_vectors("--mask", "0,62-65,0xff", mask));
	for (unsigned vector = 0; vector < DEXT_VECTORS_MAX; vector++)
		assert_int_equal(mask[vector / 64] >> vector % 64 & 1,
			vector == 0 || vector == 255 || (vector >= 62 && vector <= 65));
	/* A second list does not add to the first. */
	assert_true(ctl_vectors("--mask", "3", mask));
	assert_int_equal(mask[0], 8);
	assert_int_equal(mask[1] | mask[2] | mask[3], 0);
	assert_true(ctl_vectors("--mask", "0-255", mask));
	for (size_t i = 0; i < DEXT_IRQ_WORDS; i++)
		assert_true(mask[i] == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ctl_vectors("--mask", bad[i], mask));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
