/* SPDX-License-Identifier: BSD-3-Clause */
/* The trace: reading the ring while it is written; calls as text and as JSON. */
#include "tools/dextctl/format.h"
#include "tools/dextctl/trace.h"
#include "tests/lib/cmocka-all.h"

#include <IOKit/IOReturn.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Write an entry as the driver does; all its words are its number. */
static void write_entry(struct dext_trace *trace)
{
	uint64_t number = __atomic_load_n(&trace->next, __ATOMIC_RELAXED);
	struct dext_trace_entry *slot = &trace->entries[number % DEXT_TRACE_ENTRIES];

	__atomic_store_n(&slot->sequence, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->began, number, __ATOMIC_RELEASE);
	for (size_t i = 0; i < DEXT_TRACE_SCALARS; i++) {
		__atomic_store_n(&slot->in[i], number, __ATOMIC_RELEASE);
		__atomic_store_n(&slot->out[i], number, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&slot->sequence, number + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&trace->next, number + 1, __ATOMIC_RELEASE);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct dext_trace));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void test_ring_in_order(void **state)
{
	struct dext_trace *trace = *state;
	struct dext_trace_entry entry;
	struct ring ring;
	uint64_t missed;

	write_entry(trace); /* before anybody reads: not of interest */
	ring_begin(&ring, trace);
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_EMPTY);
	for (uint64_t i = 1; i < 3 * DEXT_TRACE_ENTRIES; i++) {
		write_entry(trace);
		assert_int_equal(ring_read(&ring, &entry, &missed), RING_ENTRY);
		assert_int_equal(entry.began, i);
		assert_int_equal(entry.sequence, i + 1);
		assert_int_equal(ring_read(&ring, &entry, &missed), RING_EMPTY);
	}
}

static void test_ring_overrun(void **state)
{
	struct dext_trace *trace = *state;
	struct dext_trace_entry entry;
	struct ring ring;
	uint64_t missed = 0;

	ring_begin(&ring, trace);
	for (unsigned i = 0; i < DEXT_TRACE_ENTRIES + 7; i++)
		write_entry(trace);
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_MISSED);
	assert_int_equal(missed, 7);
	for (unsigned i = 7; i < DEXT_TRACE_ENTRIES + 7; i++) {
		assert_int_equal(ring_read(&ring, &entry, &missed), RING_ENTRY);
		assert_int_equal(entry.began, i);
	}
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_EMPTY);
}

/* The reader waits for entries that are being written, and skips overwritten ones. */
static void test_ring_half_written(void **state)
{
	struct dext_trace *trace = *state;
	struct dext_trace_entry entry;
	struct ring ring;
	uint64_t missed = 0;

	ring_begin(&ring, trace);
	write_entry(trace);
	write_entry(trace);
	trace->entries[0].sequence = 0;
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_EMPTY);
	trace->entries[0].sequence = 1 + DEXT_TRACE_ENTRIES;
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_MISSED);
	assert_int_equal(missed, 1);
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_ENTRY);
	assert_int_equal(entry.began, 1);
	/* The older entry in this place is not read. */
	ring.next = DEXT_TRACE_ENTRIES;
	trace->next = DEXT_TRACE_ENTRIES + 1;
	trace->entries[0].sequence = 1;
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_EMPTY);
}

static void test_ring_counts_backwards(void **state)
{
	struct dext_trace *trace = *state;
	struct dext_trace_entry entry;
	struct ring ring;
	uint64_t missed = 0;

	trace->next = 100;
	ring_begin(&ring, trace);
	trace->next = 5;
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_EMPTY);
	write_entry(trace);
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_ENTRY);
	assert_int_equal(entry.began, 5);
}

#define RACE_ENTRIES 200000u

static void *write_many(void *opaque)
{
	for (unsigned i = 0; i < RACE_ENTRIES; i++)
		write_entry(opaque);
	return NULL;
}

/* With a concurrent writer, each entry is consistent, or counted as missed. */
static void test_ring_race(void **state)
{
	struct dext_trace *trace = *state;
	struct dext_trace_entry entry;
	uint64_t missed, next = 0;
	enum ring_read read;
	struct ring ring;
	pthread_t writer;

	ring_begin(&ring, trace);
	assert_int_equal(pthread_create(&writer, NULL, write_many, trace), 0);
	while (next < RACE_ENTRIES) {
		read = ring_read(&ring, &entry, &missed);
		if (read == RING_MISSED)
			next += missed;
		if (read != RING_ENTRY)
			continue;
		assert_int_equal(entry.began, next);
		for (size_t i = 0; i < DEXT_TRACE_SCALARS; i++)
			assert_true(entry.in[i] == next && entry.out[i] == next);
		next++;
	}
	pthread_join(writer, NULL);
	assert_int_equal(next, RACE_ENTRIES);
	assert_int_equal(ring_read(&ring, &entry, &missed), RING_EMPTY);
}

static void assert_named(uint32_t number, const char *name, size_t in, size_t out)
{
	char text[SCALAR_NAME_SIZE];

	assert_string_equal(selector_name(number), name);
	for (size_t i = 0; i < in && i < DEXT_TRACE_SCALARS; i++)
		assert_null(strstr(scalar_name(number, SCALAR_IN, i, text), "arg"));
	for (size_t i = 0; i < out && i < DEXT_TRACE_SCALARS; i++)
		assert_null(strstr(scalar_name(number, SCALAR_OUT, i, text), "result"));
}

/* Every selector has a name, and each of its scalars that is in a trace entry. */
static void test_names(void **state)
{
	char text[SCALAR_NAME_SIZE];

	(void)state;
#define ASSERT_NAMED(number, name, in, out, needs) assert_named(number, #name, in, out);
	DEXT_SELECTORS(ASSERT_NAMED)
	DEXT_EXTENSION_SELECTORS(ASSERT_NAMED)
#undef ASSERT_NAMED
	assert_null(selector_name(0x4242));
	assert_string_equal(scalar_name(0x4242, SCALAR_IN, 1, text), "arg1");
	assert_string_equal(scalar_name(DEXT_SELECTOR_ConfigRead, SCALAR_OUT, 1, text), "result1");
	assert_string_equal(
		scalar_name(DEXT_SELECTOR_ConfigRead, SCALAR_OUT, 77, text), "result77");
}

static void assert_prints(const struct dext_trace_entry *entry, int32_t pid, const char *expected)
{
	struct traced traced = { .address = "01:00.0",
		.pid = pid,
		.began = UINT64_C(1000000000) * 45296 + 7008009,
		.entry = entry };
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	traced_print(&traced, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_text(void **state)
{
	struct dext_trace_entry entry = { .took = 12345,
		.client = 3,
		.selector = DEXT_SELECTOR_ConfigRead,
		.in_count = 2,
		.out_count = 1,
		.in = { 0x10, 4 },
		.out = { UINT64_MAX } };

	(void)state;
	assert_prints(&entry, 1234,
		"12:34:56.007008       3     1234    12.3us  "
		"ConfigRead(offset=0x10, width=4) = kIOReturnSuccess: value=0xffffffffffffffff\n");
	entry = (struct dext_trace_entry){ .took = 999,
		.client = 4000000000u,
		.selector = DEXT_SELECTOR_Claim,
		.status = kIOReturnExclusiveAccess };
	assert_prints(&entry, 0,
		"12:34:56.007008  4000000000        -     999ns  Claim() = "
		"kIOReturnExclusiveAccess\n");
	/* More scalars than an entry has, an unknown selector, an unknown status. */
	entry = (struct dext_trace_entry){ .took = UINT64_C(2500000000),
		.client = 1,
		.selector = 0x77,
		.status = 0x42,
		.in_count = UINT16_MAX,
		.out_count = 5,
		.in = { 9, 10 } };
	assert_prints(&entry, 7,
		"12:34:56.007008       1        7      2.5s  selector 0x77(arg0=9, arg1=0xa, "
		"arg2=0, "
		"arg3=0, ...) = 0x00000042: result0=0, result1=0, result2=0, result3=0, ...\n");
}

static const char *text_at(struct json_object *object, const char *key)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(object, key, &value));
	return json_object_get_string(value); /* NULL of null */
}

static void test_json(void **state)
{
	struct dext_trace_entry entry = { .began = 5,
		.took = 12345,
		.client = 3,
		.selector = DEXT_SELECTOR_ProbeDMARegion,
		.status = kIOReturnOverrun,
		.in_count = 2,
		.in = { 0x1000, 8 } };
	struct traced traced = { .address = "left/01:00.0", .entry = &entry };
	struct json_object *object = traced_json(&traced), *in;

	(void)state;
	assert_string_equal(text_at(object, "address"), "left/01:00.0");
	assert_string_equal(text_at(object, "call"), "ProbeDMARegion");
	assert_string_equal(text_at(object, "status"), "0xe00002e8");
	assert_string_equal(text_at(object, "status_name"), "kIOReturnOverrun");
	assert_string_equal(text_at(object, "took_ns"), "12345");
	assert_string_equal(text_at(object, "began_ns"), "5");
	assert_null(text_at(object, "pid"));
	assert_true(json_object_object_get_ex(object, "in", &in));
	assert_string_equal(text_at(in, "iova"), "0x0000000000001000");
	assert_string_equal(text_at(in, "offset"), "0x0000000000000008");
	assert_int_equal(json_object_object_length(in), 2);
	json_object_put(object);

	entry.selector = 0x77;
	entry.status = 1;
	object = traced_json(&traced);
	assert_null(text_at(object, "call"));
	assert_null(text_at(object, "status_name"));
	assert_string_equal(text_at(object, "selector"), "119");
	json_object_put(object);
}

static void test_durations(void **state)
{
	static const struct {
		uint64_t duration;
		const char *text;
	} durations[] = {
		{ 0, "0ns" },
		{ 999, "999ns" },
		{ 1000, "1.0us" },
		{ 1999, "1.9us" },
		{ 999999, "999.9us" },
		{ 1000000, "1.0ms" },
		{ 999999999, "999.9ms" },
		{ 1000000000, "1.0s" },
		{ UINT64_MAX, "18446744073.7s" },
	};
	char text[CLOCK_DURATION_SIZE], time[CLOCK_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		clock_format_duration(durations[i].duration, text);
		assert_string_equal(text, durations[i].text);
	}
	clock_format(3661 * CLOCK_SECOND + 1002003, 0, time);
	assert_string_equal(time, "01:01:01");
	clock_format(3661 * CLOCK_SECOND + 1002003, 99, time);
	assert_string_equal(time, "01:01:01.001002003");
}

#define RING(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING(test_ring_in_order),
		RING(test_ring_overrun),
		RING(test_ring_half_written),
		RING(test_ring_counts_backwards),
		RING(test_ring_race),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_durations),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
