/* SPDX-License-Identifier: BSD-3-Clause */
/* Capabilities: the decoding of each, and broken lists. */
#include "tools/dextctl/config-space.h"
#include "tests/lib/cmocka-all.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
	uint8_t config[4096];
	struct cap_list list;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	*state = fixture;
	return fixture ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void put16(struct fixture *fixture, size_t offset, unsigned value)
{
	fixture->config[offset] = (uint8_t)value;
	fixture->config[offset + 1] = (uint8_t)(value >> 8);
}

static void put32(struct fixture *fixture, size_t offset, uint32_t value)
{
	put16(fixture, offset, value & 0xffff);
	put16(fixture, offset + 2, value >> 16);
}

/* A header with a list of capabilities that begins at @first. */
static void begin_chain(struct fixture *fixture, uint8_t first)
{
	put16(fixture, 0x06, 0x10);
	fixture->config[0x34] = first;
}

static void put_cap(struct fixture *fixture, size_t offset, uint8_t id, uint8_t next)
{
	fixture->config[offset] = id;
	fixture->config[offset + 1] = next;
}

static void put_extended(struct fixture *fixture, size_t offset, unsigned id, unsigned next)
{
	put32(fixture, offset, id | 1u << 16 | next << 20);
}

static void read_caps(struct fixture *fixture)
{
	/* In memory of exactly this size, so that the sanitizers find reads beyond it. */
	uint8_t *copy = malloc(sizeof(fixture->config));

	assert_non_null(copy);
	memcpy(copy, fixture->config, sizeof(fixture->config));
	caps_read(copy, sizeof(fixture->config), &fixture->list);
	free(copy);
}

static void assert_cap(
	const struct fixture *fixture, size_t index, unsigned offset, const char *text)
{
	assert_true(index < fixture->list.count);
	assert_int_equal(fixture->list.caps[index].offset, offset);
	assert_string_equal(fixture->list.caps[index].text, text);
}

static void test_an_endpoint(void **state)
{
	struct fixture *fixture = *state;
	const struct cap *cap;

	begin_chain(fixture, 0x40);
	put_cap(fixture, 0x40, 0x01, 0x50);
	put16(fixture, 0x42, 3);
	put16(fixture, 0x44, 3);
	put_cap(fixture, 0x50, 0x05, 0x70);
	put16(fixture, 0x52, 0x0180 | 5 << 1 | 2 << 4 | 1);
	put_cap(fixture, 0x70, 0x10, 0xb0);
	put16(fixture, 0x72, 0x0002 | 9 << 4 | 5 << 9);
	put32(fixture, 0x74, 0x10000000);
	put_cap(fixture, 0xb0, 0x11, 0);
	put16(fixture, 0xb2, 64 | 0x8000);
	put32(fixture, 0xb4, 0x2000);
	put32(fixture, 0xb8, 0x3000 | 4);
	put_extended(fixture, 0x100, 0x0001, 0x150);
	put_extended(fixture, 0x150, 0x0003, 0x168);
	put_extended(fixture, 0x168, 0x0010, 0);
	read_caps(fixture);

	assert_int_equal(fixture->list.count, 7);
	assert_string_equal(fixture->list.broken, "");
	assert_cap(fixture, 0, 0x40, "Power Management version 3, in D3hot");
	assert_cap(fixture, 1, 0x50, "MSI: Enable+ Count=4/32 Maskable+ 64bit+");
	assert_cap(fixture, 2, 0x70,
		"Express (v2) Root Complex Integrated Endpoint, MSI 05, FLReset+");
	assert_cap(fixture, 3, 0xb0,
		"MSI-X: Enable+ Count=65 Masked-, table in BAR 0 at 00002000, "
		"PBA in BAR 4 at 00003000");
	assert_cap(fixture, 4, 0x100, "Advanced Error Reporting");
	assert_cap(fixture, 5, 0x150, "Device Serial Number");
	assert_cap(fixture, 6, 0x168, "Single Root I/O Virtualization (SR-IOV)");

	cap = caps_find(&fixture->list, false, 0x11);
	assert_ptr_equal(cap, &fixture->list.caps[3]);
	assert_int_equal(cap_field_number(cap, "vectors", 0), 65);
	assert_int_equal(cap_field_number(cap, "pba_bar", 0), 4);
	assert_int_equal(cap_field_number(cap, "nonsense", 99), 99);
	assert_null(caps_find(&fixture->list, true, 0x11));
	assert_int_equal(cap_field_number(NULL, "vectors", 5), 5);
}

/* The link: of a port that has none, of one whose registers do not fit, of an unknown speed. */
static void test_express_link(void **state)
{
	struct fixture *fixture = *state;

	begin_chain(fixture, 0x40);
	put_cap(fixture, 0x40, 0x10, 0);
	put16(fixture, 0x42, 2);
	put16(fixture, 0x52, 3 | 16 << 4);
	read_caps(fixture);
	assert_cap(fixture, 0, 0x40,
		"Express (v2) Endpoint, MSI 00, FLReset-, Speed 8GT/s, Width x16");
	assert_int_equal(cap_field_number(&fixture->list.caps[0], "link_width", 0), 16);
	put16(fixture, 0x52, 15 | 1 << 4);
	read_caps(fixture);
	assert_cap(fixture, 0, 0x40,
		"Express (v2) Endpoint, MSI 00, FLReset-, Speed unknown, Width x1");
	put16(fixture, 0x52, 3);
	read_caps(fixture);
	assert_cap(fixture, 0, 0x40, "Express (v2) Endpoint, MSI 00, FLReset-");
	assert_int_equal(cap_field_number(&fixture->list.caps[0], "link_width", 99), 99);

	begin_chain(fixture, 0xf0);
	put_cap(fixture, 0xf0, 0x10, 0);
	put16(fixture, 0xf2, 2);
	put16(fixture, 0x102, 3 | 16 << 4);
	read_caps(fixture);
	assert_cap(fixture, 0, 0xf0, "Express (v2) Endpoint, MSI 00, FLReset-");
}

static void test_no_capabilities(void **state)
{
	struct fixture *fixture = *state;

	begin_chain(fixture, 0x40);
	put_cap(fixture, 0x40, 0x01, 0);
	put16(fixture, 0x06, 0); /* no capabilities, by STATUS */
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 0);
	assert_string_equal(fixture->list.broken, "");

	put16(fixture, 0x06, 0x10);
	fixture->config[0x0e] = 0x7f; /* a header of no known layout */
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 0);

	fixture->config[0x0e] = 0x80; /* a multi-function device */
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 1);
	caps_read(fixture->config, 0, &fixture->list);
	assert_int_equal(fixture->list.count, 0);
}

static void test_low_bits_of_pointers_are_ignored(void **state)
{
	struct fixture *fixture = *state;

	begin_chain(fixture, 0x43);
	put_cap(fixture, 0x40, 0x01, 0x51);
	put_cap(fixture, 0x50, 0x05, 0x02); /* 0, that is: the end */
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 2);
	assert_string_equal(fixture->list.broken, "");
}

static void test_loop(void **state)
{
	struct fixture *fixture = *state;

	begin_chain(fixture, 0x40);
	put_cap(fixture, 0x40, 0x09, 0x50);
	put_cap(fixture, 0x50, 0xee, 0x40);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 2);
	assert_cap(fixture, 0, 0x40, "Vendor Specific Information");
	assert_cap(fixture, 1, 0x50, "Capability ee");
	assert_null(fixture->list.caps[1].name);
	assert_string_equal(fixture->list.broken, "the chain loops: 50 leads back to 40");

	put_cap(fixture, 0x40, 0x09, 0x40);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 1);
	assert_string_equal(fixture->list.broken, "the chain loops: 40 leads back to 40");
}

static void test_pointer_into_the_header(void **state)
{
	struct fixture *fixture = *state;

	begin_chain(fixture, 0x10);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 0);
	assert_string_equal(fixture->list.broken, "the pointer at 34 leads into the header, to 10");
}

static void test_nothing_answers(void **state)
{
	struct fixture *fixture = *state;

	begin_chain(fixture, 0x40);
	put_cap(fixture, 0x40, 0x01, 0x80);
	put32(fixture, 0x80, UINT32_MAX);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 1);
	assert_string_equal(fixture->list.broken, "nothing answers at 80, where the chain leads");

	/* A device that does not answer. */
	memset(fixture->config, 0xff, sizeof(fixture->config));
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 0);
}

static void test_capability_past_the_end(void **state)
{
	struct fixture *fixture = *state;

	begin_chain(fixture, 0xfc);
	put_cap(fixture, 0xfc, 0x11, 0);
	read_caps(fixture);
	assert_cap(fixture, 0, 0xfc, "MSI-X <runs past the end of its space>");
	assert_int_equal(fixture->list.caps[0].field_count, 0);

	put_cap(fixture, 0xfc, 0x10, 0);
	put_extended(fixture, 0x100, 0x0001, 0xffc);
	put_extended(fixture, 0xffc, 0x0010, 0);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 3);
	assert_cap(fixture, 0, 0xfc, "Express <runs past the end of its space>");
	assert_cap(fixture, 2, 0xffc, "Single Root I/O Virtualization (SR-IOV)");
}

static void begin_extended(struct fixture *fixture)
{
	begin_chain(fixture, 0x40);
	put_cap(fixture, 0x40, 0x10, 0);
}

static void test_extended_chains(void **state)
{
	struct fixture *fixture = *state;

	begin_extended(fixture);
	put_extended(fixture, 0x100, 0x0001, 0x200);
	put_extended(fixture, 0x200, 0xbeef, 0x100);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 3);
	assert_cap(fixture, 2, 0x200, "Capability beef");
	assert_string_equal(fixture->list.broken, "the chain loops: 200 leads back to 100");

	put_extended(fixture, 0x200, 0x0002, 0x0fc);
	read_caps(fixture);
	assert_string_equal(fixture->list.broken, "200 leads out of extended space, to 0fc");

	put_extended(fixture, 0x200, 0x0002, 0x300);
	put32(fixture, 0x300, UINT32_MAX);
	read_caps(fixture);
	assert_string_equal(fixture->list.broken, "nothing answers at 300, where the chain leads");

	/* An empty list: all ones, or 0. */
	put32(fixture, 0x100, UINT32_MAX);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 1);
	assert_string_equal(fixture->list.broken, "");
	put32(fixture, 0x100, 0);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 1);
	assert_string_equal(fixture->list.broken, "");
}

static void test_extended_ones_need_express(void **state)
{
	struct fixture *fixture = *state;

	begin_extended(fixture);
	put_extended(fixture, 0x100, 0x0001, 0);
	caps_read(fixture->config, 256, &fixture->list);
	assert_int_equal(fixture->list.count, 1);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 2);
	put_cap(fixture, 0x40, 0x01, 0);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, 1);
}

/* The longest chains that fit: one at each doubleword. */
static void test_as_many_as_fit(void **state)
{
	struct fixture *fixture = *state;

	begin_chain(fixture, 0x40);
	for (unsigned offset = 0x40; offset < 0x100; offset += 4)
		put_cap(fixture, offset, 0x10, (uint8_t)(offset + 4));
	for (unsigned offset = 0x100; offset < 0x1000; offset += 4)
		put_extended(fixture, offset, 0x0001, (offset + 4) & 0xfff);
	read_caps(fixture);
	assert_int_equal(fixture->list.count, CAPS_MAX);
	assert_string_equal(fixture->list.broken, "");
}

/* With any contents the walk ends, and does not read outside (found by the sanitizers). */
static void test_noise(void **state)
{
	struct fixture *fixture = *state;
	uint32_t noise = 12345;

	for (unsigned round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(fixture->config); i++) {
			noise = noise * 1103515245u + 12345u;
			fixture->config[i] = (uint8_t)(noise >> 16);
		}
		fixture->config[0x0e] = 0;
		put16(fixture, 0x06, 0x10);
		fixture->config[fixture->config[0x34] & ~3u] = 0x10;
		read_caps(fixture);
		assert_true(fixture->list.count <= CAPS_MAX);
		for (size_t i = 0; i < fixture->list.count; i++)
			assert_true(strlen(fixture->list.caps[i].text) < CAP_TEXT_SIZE);
	}
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_an_endpoint),
		CASE(test_express_link),
		CASE(test_no_capabilities),
		CASE(test_low_bits_of_pointers_are_ignored),
		CASE(test_loop),
		CASE(test_pointer_into_the_header),
		CASE(test_nothing_answers),
		CASE(test_capability_past_the_end),
		CASE(test_extended_chains),
		CASE(test_extended_ones_need_express),
		CASE(test_as_many_as_fit),
		CASE(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
