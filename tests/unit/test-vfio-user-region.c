/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads and writes of regions. */
#include "tests/lib/vfio-user-rig.h"

#include <stdlib.h>
#include <string.h>

static void bar_contents(unsigned bar, uint64_t offset, const void *expected, size_t size)
{
	assert_memory_equal(fake_client_lock()->bars[bar] + offset, expected, size);
	fake_client_unlock();
}

static void test_bars_are_read_and_written(void **state)
{
	static const uint32_t memory_bars[] = { 0, 4 };
	char data[8];

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(vu_client_write(*state, memory_bars[i], 0x100, "abcdefgh", 8), 0);
		bar_contents(memory_bars[i], 0x100, "abcdefgh", 8);
		assert_int_equal(vu_client_read(*state, memory_bars[i], 0x102, data, 4), 0);
		assert_memory_equal(data, "cdef", 4);
	}
}

/* Any offset, any count: those bytes are written and no others. */
static void test_unaligned_accesses_change_only_their_bytes(void **state)
{
	unsigned char data[32], expected[64] = { 0 }, read[32];

	for (unsigned char i = 0; i < 32; i++)
		data[i] = (unsigned char)(i + 1);
	for (uint32_t offset = 0; offset < 9; offset++) {
		for (uint32_t count = 1; count <= 19; count++) {
			memset(expected, 0, sizeof(expected));
			memset(fake_client_lock()->bars[0], 0, sizeof(expected));
			fake_client_unlock();
			memcpy(expected + 8 + offset, data, count);
			assert_int_equal(vu_client_write(*state, 0, 8 + offset, data, count), 0);
			bar_contents(0, 0, expected, sizeof(expected));
			assert_int_equal(vu_client_read(*state, 0, 8 + offset, read, count), 0);
			assert_memory_equal(read, data, count);
		}
	}
}

static void test_accesses_past_the_end_are_refused(void **state)
{
	static const struct {
		uint32_t region;
		uint64_t offset;
		uint32_t count;
		int error;
	} cases[] = {
		{ 0, FAKE_BAR0_SIZE - 4, 4, 0 },
		{ 0, FAKE_BAR0_SIZE - 4, 5, EINVAL },
		{ 0, FAKE_BAR0_SIZE, 1, EINVAL },
		{ 0, UINT64_MAX, 2, EINVAL },
		{ 0, UINT64_MAX - 3, 4, EINVAL },
		{ 1, 0, 1, EINVAL }, /* the upper half of BAR0 */
		{ 3, 0, 4, EINVAL },
		{ VFIO_PCI_ROM_REGION_INDEX, 0, 4, EINVAL },
		{ VFIO_PCI_CONFIG_REGION_INDEX, 4092, 4, 0 },
		{ VFIO_PCI_CONFIG_REGION_INDEX, 4092, 8, EINVAL },
		{ VFIO_PCI_VGA_REGION_INDEX, 0, 1, EINVAL },
		{ VFIO_PCI_NUM_REGIONS, 0, 1, EINVAL },
		{ UINT32_MAX, 0, 1, EINVAL },
	};
	unsigned char data[64] = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(vu_client_read(*state, cases[i].region, cases[i].offset, data,
					 cases[i].count),
			cases[i].error);
		assert_int_equal(vu_client_write(*state, cases[i].region, cases[i].offset, data,
					 cases[i].count),
			cases[i].error);
	}
}

static void test_counts_must_fit_the_message(void **state)
{
	struct {
		struct vfio_user_region_access access;
		unsigned char data[8];
	} request = { .access = { .region = 0, .count = 4 }, .data = "abcdefgh" };

	/* One byte less than the count, and one more. */
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_REGION_WRITE, &request, 16 + 3, NULL, 0, NULL),
		EINVAL);
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_REGION_WRITE, &request, 16 + 5, NULL, 0, NULL),
		EINVAL);
	request.access.count = UINT32_MAX;
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_REGION_WRITE, &request, 16 + 8, NULL, 0, NULL),
		EINVAL);
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_REGION_READ, &request, 16, NULL, 0, NULL),
		EINVAL);
	bar_contents(0, 0, "\0\0\0\0\0\0\0\0", 8);
}

static void test_whole_bars_are_read_at_once(void **state)
{
	struct vfio_user_region_access access = { .region = 0, .count = FAKE_MSIX_TABLE };
	struct vu_reply *reply = malloc(sizeof(*reply));

	assert_int_equal(vu_client_write(*state, 0, FAKE_MSIX_TABLE - 4, "last", 4), 0);
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_REGION_READ, &access, sizeof(access),
				 NULL, 0, reply),
		0);
	assert_int_equal(reply->size, sizeof(access) + FAKE_MSIX_TABLE);
	assert_memory_equal(reply->payload + reply->size - 4, "last", 4);
	free(reply);
}

static void test_a_count_of_zero_is_valid(void **state)
{
	assert_int_equal(vu_client_read(*state, 0, 0, NULL, 0), 0);
	assert_int_equal(vu_client_read(*state, 5, 0, NULL, 0), 0);
	assert_int_equal(vu_client_read(*state, VFIO_PCI_CONFIG_REGION_INDEX, 4096, NULL, 0), 0);
}

/* --- By calls ------------------------------------------------------------------------ */

static void test_io_bars_are_reached_by_calls(void **state)
{
	char data[4];
	struct fake_client *device;

	assert_int_equal(vu_client_write(*state, 2, 8, "port", 4), 0);
	assert_int_equal(vu_client_read(*state, 2, 8, data, 4), 0);
	assert_memory_equal(data, "port", 4);
	device = fake_client_lock();
	assert_int_equal(device->bar_call_count, 2);
	assert_int_equal(device->bar_calls[0].offset, 8);
	assert_int_equal(device->bar_calls[0].width, 4);
	fake_client_unlock();
}

/* One call for each naturally aligned piece of at most 8 bytes. */
static void test_accesses_are_split_into_natural_pieces(void **state)
{
	static const struct fake_client_access expected[] = { { 3, 1, 0 }, { 4, 4, 0 }, { 8, 8, 0 },
		{ 16, 4, 0 }, { 20, 2, 0 }, { 22, 1, 0 } };
	unsigned char data[20] = { 0 };
	struct fake_client *device;

	assert_int_equal(vu_client_write(*state, 0, 3, data, 20), 0);
	device = fake_client_lock();
	assert_int_equal(device->bar_call_count, sizeof(expected) / sizeof(expected[0]));
	assert_memory_equal(device->bar_calls, expected, sizeof(expected));
	assert_int_equal(device->mapped_bars, 0);
	fake_client_unlock();
}

/* --- MSI-X --------------------------------------------------------------------------- */

static void test_the_msix_table_is_emulated(void **state)
{
	static const unsigned char fresh[16] = { [12] = 1 };
	unsigned char data[16];

	memset(fake_client_lock()->bars[0] + FAKE_MSIX_TABLE, 0x5a, 16 * FAKE_MSIX_VECTORS);
	fake_client_unlock();
	assert_int_equal(vu_client_read(*state, 0, FAKE_MSIX_TABLE + 16, data, 16), 0);
	assert_memory_equal(data, fresh, 16);
	assert_int_equal(vu_client_write(*state, 0, FAKE_MSIX_TABLE + 16, "address.data", 12), 0);
	assert_int_equal(vu_client_read(*state, 0, FAKE_MSIX_TABLE + 16, data, 12), 0);
	assert_memory_equal(data, "address.data", 12);
	/* The host's table is unchanged: neither its first nor its last byte is written. */
	bar_contents(0, FAKE_MSIX_TABLE + 16, "ZZZZZZZZZZZZ", 12);
	assert_int_equal(vu_client_write(*state, 0, FAKE_MSIX_TABLE + 16 * FAKE_MSIX_VECTORS - 4,
				 "12345678", 8),
		0);
	bar_contents(0, FAKE_MSIX_TABLE + 16 * FAKE_MSIX_VECTORS - 4, "ZZZZ5678", 8);
}

static void test_pending_bits_are_read_only(void **state)
{
	unsigned char data[8];

	memset(fake_client_lock()->bars[0] + FAKE_MSIX_PENDING, 0x11, 16);
	fake_client_unlock();
	assert_int_equal(vu_client_write(*state, 0, FAKE_MSIX_PENDING, "12345678", 8), 0);
	assert_int_equal(vu_client_read(*state, 0, FAKE_MSIX_PENDING, data, 8), 0);
	assert_memory_equal(data, "\x11\x11\x11\x11\x11\x11\x11\x11", 8);
	/* 40 vectors have 8 bytes of pending bits. */
	assert_int_equal(vu_client_write(*state, 0, FAKE_MSIX_PENDING + 8, "1", 1), 0);
	bar_contents(0, FAKE_MSIX_PENDING + 7,
		"\x11"
		"1",
		2);
}

/* --- Disabled spaces ---------------------------------------------------------------- */

static void test_bars_answer_while_their_space_is_on(void **state)
{
	char data[4];

	assert_int_equal(vu_client_write(*state, 0, 0, "abcd", 4), 0);
	vu_client_set_config(*state, 4, 2, 0x0001);
	assert_int_equal(vu_client_read(*state, 0, 0, data, 4), 0);
	assert_memory_equal(data, "\xff\xff\xff\xff", 4);
	assert_int_equal(vu_client_write(*state, 0, 0, "efgh", 4), 0);
	bar_contents(0, 0, "abcd", 4);
	assert_int_equal(vu_client_write(*state, 2, 0, "port", 4), 0);
	bar_contents(2, 0, "port", 4);
	vu_client_set_config(*state, 4, 2, 0x0002);
	assert_int_equal(vu_client_read(*state, 0, 0, data, 4), 0);
	assert_memory_equal(data, "abcd", 4);
	assert_int_equal(vu_client_read(*state, 2, 0, data, 4), 0);
	assert_memory_equal(data, "\xff\xff\xff\xff", 4);
}

/* --- Several writes ------------------------------------------------------------------ */

struct multi {
	uint64_t count;
	struct vfio_user_region_write writes[4];
};

/* Return: an errno, or minus the number of writes done. */
static int write_multi(struct rig *rig, const struct multi *request, size_t size)
{
	struct vu_reply *reply = malloc(sizeof(*reply));
	uint64_t done;
	int error = vu_client_exchange(
		&rig->client, VFIO_USER_REGION_WRITE_MULTI, request, size, NULL, 0, reply);

	if (error == 0) {
		assert_int_equal(reply->size, sizeof(done));
		memcpy(&done, reply->payload, sizeof(done));
		error = -(int)done;
	}
	free(reply);
	return error;
}

static void test_several_writes_are_executed_in_order(void **state)
{
	const struct multi request = {
		.count = 3,
		.writes = { { .region = 0, .offset = 0, .count = 8, .data = "12345678" },
			{ .region = 0, .offset = 4, .count = 2, .data = "ab" },
			{ .region = VFIO_PCI_CONFIG_REGION_INDEX,
				.offset = 0x3c,
				.count = 1,
				.data = "\x0b" } },
	};

	assert_int_equal(write_multi(*state, &request, 8 + 3 * 24), -3);
	bar_contents(0, 0, "1234ab78", 8);
	assert_int_equal(vu_client_config(*state, 0x3c, 1), 0x0b);
}

static void test_several_writes_stop_at_the_first_that_fails(void **state)
{
	struct multi request = {
		.count = 3,
		.writes = { { .region = 0, .offset = 0, .count = 1, .data = "a" },
			{ .region = 0, .offset = 0, .count = 9 },
			{ .region = 0, .offset = 1, .count = 1, .data = "b" } },
	};

	assert_int_equal(write_multi(*state, &request, 8 + 3 * 24), -1);
	bar_contents(0, 0, "a\0", 2);
	request.writes[0].region = 8;
	assert_int_equal(write_multi(*state, &request, 8 + 3 * 24), EINVAL);
}

static void test_several_writes_must_match_their_count(void **state)
{
	struct multi request = { .count = 2,
		.writes = { { .region = 0, .count = 1, .data = "x" } } };

	assert_int_equal(write_multi(*state, &request, 8 + 24), EINVAL);
	assert_int_equal(write_multi(*state, &request, 8 + 3 * 24), EINVAL);
	assert_int_equal(write_multi(*state, &request, 8 + 2 * 24 - 1), EINVAL);
	request.count = UINT64_MAX / 24 + 1;
	assert_int_equal(write_multi(*state, &request, 8 + 24), EINVAL);
	request.count = 0;
	assert_int_equal(write_multi(*state, &request, 8), 0);
	bar_contents(0, 0, "\0", 1);
}

static void test_several_writes_must_be_negotiated(void **state)
{
	const struct multi request = { .count = 1, .writes = { { .count = 1, .data = "x" } } };

	rig_disconnect(*state);
	rig_connect(*state);
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_VERSION, "\0\0\1\0", 4, NULL, 0, NULL), 0);
	assert_int_equal(write_multi(*state, &request, 8 + 24), ENOTSUP);
	bar_contents(0, 0, "\0", 1);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(rig_setup_negotiated, test_bars_are_read_and_written),
		ON(rig_setup_calls, test_bars_are_read_and_written),
		ON(rig_setup_negotiated, test_unaligned_accesses_change_only_their_bytes),
		ON(rig_setup_calls, test_unaligned_accesses_change_only_their_bytes),
		ON(rig_setup_negotiated, test_accesses_past_the_end_are_refused),
		ON(rig_setup_negotiated, test_counts_must_fit_the_message),
		ON(rig_setup_negotiated, test_whole_bars_are_read_at_once),
		ON(rig_setup_negotiated, test_a_count_of_zero_is_valid),
		ON(rig_setup_negotiated, test_io_bars_are_reached_by_calls),
		ON(rig_setup_calls, test_accesses_are_split_into_natural_pieces),
		ON(rig_setup_negotiated, test_the_msix_table_is_emulated),
		ON(rig_setup_negotiated, test_pending_bits_are_read_only),
		ON(rig_setup_negotiated, test_bars_answer_while_their_space_is_on),
		ON(rig_setup_negotiated, test_several_writes_are_executed_in_order),
		ON(rig_setup_negotiated, test_several_writes_stop_at_the_first_that_fails),
		ON(rig_setup_negotiated, test_several_writes_must_match_their_count),
		ON(rig_setup_negotiated, test_several_writes_must_be_negotiated),
	};

	return cmocka_run_group_tests_name("vfio-user regions", tests, NULL, NULL);
}
