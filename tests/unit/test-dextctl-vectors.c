/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of interrupt vectors. */
#include "tools/dextctl/vectors.h"
#include "tests/lib/cmocka-all.h"

static void test_vectors(void **state)
{
	static const char *const bad[] = { "", ",", "1,", ",1", "1,,2", "-", "1-", "-1", "2-1",
		"256", "0-256", "a", "1 ", "1-2-3", "0x", "99999999999999999999999" };
	uint64_t mask[DEXT_IRQ_WORDS];

	(void)state;
	assert_null(vectors_parse("0,62-65,0xff", mask));
	for (unsigned vector = 0; vector < DEXT_VECTORS_MAX; vector++)
		assert_int_equal(vectors_has(mask, vector),
			vector == 0 || vector == 255 || (vector >= 62 && vector <= 65));
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
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
