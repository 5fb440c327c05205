/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of a cmocka program that are left out: the functions that MACHO_SKIP names, with commas
 * between them. Stands in front of cmocka, as face.c does of the client library.
 */
#include "tests/lib/cmocka-all.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*run_group)(const char *name, const struct CMUnitTest *tests, size_t count,
	CMFixtureFunction setup, CMFixtureFunction teardown);

/* Take a test out of the list. Return: false when it is not there. */
static bool take_out(struct CMUnitTest *tests, size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(tests[i].name, name) != 0)
			continue;
		memmove(&tests[i], &tests[i + 1], (*count - i - 1) * sizeof(*tests));
		(*count)--;
		return true;
	}
	return false;
}

int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *const tests,
	const size_t count, CMFixtureFunction setup, CMFixtureFunction teardown)
{
	struct CMUnitTest *left = malloc(count * sizeof(*left));
	const char *variable = getenv("MACHO_SKIP");
	char *names = strdup(variable ? variable : ""), *rest = NULL;
	size_t left_count = count;
	run_group run;
	int failed;

	*(void **)&run = dlsym(RTLD_NEXT, "_cmocka_run_group_tests");
	if (!left || !names || !run)
		abort();
	memcpy(left, tests, count * sizeof(*left));
	for (char *skip = strtok_r(names, ",", &rest); skip; skip = strtok_r(NULL, ",", &rest)) {
		if (take_out(left, &left_count, skip))
			continue;
		fprintf(stderr, "macho: MACHO_SKIP: there is no test %s\n", skip);
		_exit(127);
	}
	failed = run(name, left, left_count, setup, teardown);
	free(names);
	free(left);
	return failed;
}
