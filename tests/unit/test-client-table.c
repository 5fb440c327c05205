/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits of connections: which are admitted, and which one is evicted for a new one. */
#include "iokit/client-table.h"
#include "tests/lib/cmocka-all.h"

#define ENTRIES 32

static struct iou_client_table table;
static struct iou_client_entry pool[ENTRIES];
static unsigned used;

static int setup(void **state)
{
	(void)state;
	table = (struct iou_client_table){
		.per_process = 3, .per_user = 5, .total = 12, .reserved = 4
	};
	TAILQ_INIT(&table.all);
	used = 0;
	return 0;
}

static struct iou_client_entry peer(uid_t uid, pid_t pid)
{
	return (struct iou_client_entry){ .uid = uid, .pid = pid, .privileged = uid == 0 };
}

/* Add a connection if it is admitted. *left is set to a copy of an evicted one. */
static bool add(uid_t uid, pid_t pid, bool greeted, struct iou_client_entry *left)
{
	struct iou_client_entry *evicted = NULL, *entry;

	assert_true(used < ENTRIES);
	entry = &pool[used++];
	*entry = peer(uid, pid);
	entry->greeted = greeted;
	if (iou_client_table_check(&table, entry, &evicted) != kIOReturnSuccess)
		return false;
	if (left)
		*left = evicted ? *evicted : (struct iou_client_entry){ .pid = -1 };
	if (evicted)
		TAILQ_REMOVE(&table.all, evicted, link);
	TAILQ_INSERT_TAIL(&table.all, entry, link);
	return true;
}

static void test_a_process_has_a_limit(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(add(0, 10, true, NULL));
	assert_false(add(0, 10, true, NULL));
	assert_true(add(0, 11, true, NULL));
}

static void test_a_user_has_a_limit_over_all_processes(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(add(7, 10 + i, true, NULL));
	assert_false(add(7, 20, true, NULL));
	assert_true(add(8, 21, true, NULL));
	/* Processes of the service's own user are exempt. */
	for (int i = 0; i < 6; i++)
		assert_true(add(0, 30 + i, true, NULL));
}

static void test_unknown_processes_count_by_user(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(add(7, 0, true, NULL));
	assert_false(add(7, 0, true, NULL));
	assert_true(add(8, 0, true, NULL));
	assert_true(add(7, 10, true, NULL));
}

static void test_others_leave_a_reserve(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		assert_true(add(7 + (uid_t)i % 2, 10 + i, true, NULL));
	assert_false(add(9, 20, true, NULL));
	for (int i = 0; i < 4; i++)
		assert_true(add(0, 30 + i, true, NULL));
	/* The table is full. */
	assert_false(add(0, 40, true, NULL));
}

static void test_the_oldest_silent_one_of_a_process_is_evicted(void **state)
{
	struct iou_client_entry left;

	(void)state;
	assert_true(add(7, 9, false, NULL));
	assert_true(add(7, 10, true, NULL));
	assert_true(add(7, 10, false, NULL));
	assert_true(add(7, 10, false, NULL));
	assert_true(add(7, 10, true, &left));
	assert_int_equal(left.pid, 10);
	assert_false(left.greeted);
	assert_true(add(7, 10, true, &left));
	assert_int_equal(left.pid, 10);
	/* All connections of this process have greeted. The silent one of another process stays. */
	assert_false(add(7, 10, true, &left));
}

static void test_silent_connections_do_not_evict_those_of_other_users(void **state)
{
	struct iou_client_entry left;

	(void)state;
	assert_true(add(8, 1, false, NULL));
	for (int i = 0; i < 20; i++) {
		assert_true(add(7, 10 + i, false, &left));
		assert_int_equal(left.pid, i < 5 ? -1 : 10 + i - 5);
	}
	/* At the limit for all users together, the oldest silent one is evicted, of any user. */
	assert_true(add(9, 50, true, NULL));
	assert_true(add(9, 51, true, NULL));
	assert_true(add(9, 52, true, &left));
	assert_int_equal(left.pid, 1);
}

#define ON(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_a_process_has_a_limit),
		ON(test_a_user_has_a_limit_over_all_processes),
		ON(test_unknown_processes_count_by_user),
		ON(test_others_leave_a_reserve),
		ON(test_the_oldest_silent_one_of_a_process_is_evicted),
		ON(test_silent_connections_do_not_evict_those_of_other_users),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
