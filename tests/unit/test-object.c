/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of objects: reference counts, reuse of slots, released names. */
#include "iokit/object.h"
#include "tests/lib/cmocka-all.h"

#include <stdlib.h>

struct thing {
	struct iou_object object;
	unsigned *destroyed;
};

static void thing_destroy(struct iou_object *object)
{
	struct thing *thing = (struct thing *)object;

	++*thing->destroyed;
	free(thing);
}

static io_object_t thing_create(enum iou_kind kind, unsigned *destroyed)
{
	struct thing *thing = calloc(1, sizeof(*thing));
	io_object_t name;

	assert_non_null(thing);
	thing->destroyed = destroyed;
	iou_object_init(&thing->object, kind, thing_destroy);
	name = iou_name_create(&thing->object);
	assert_int_not_equal(name, IO_OBJECT_NULL);
	return name;
}

static void test_a_name_counts_its_references(void **state)
{
	unsigned destroyed = 0;
	io_object_t name = thing_create(IOU_SERVICE, &destroyed);

	(void)state;
	assert_int_equal(IOObjectRetain(name), kIOReturnSuccess);
	assert_int_equal(IOObjectRelease(name), kIOReturnSuccess);
	assert_int_equal(destroyed, 0);
	assert_int_equal(IOObjectRelease(name), kIOReturnSuccess);
	assert_int_equal(destroyed, 1);
	assert_int_equal(IOObjectRelease(name), kIOReturnBadArgument);
	assert_int_equal(IOObjectRetain(name), kIOReturnBadArgument);
}

static void test_an_object_in_use_outlives_its_name(void **state)
{
	unsigned destroyed = 0;
	io_object_t name = thing_create(IOU_SERVICE, &destroyed);
	struct iou_object *object = iou_name_lookup(name, IOU_SERVICE);

	(void)state;
	assert_non_null(object);
	assert_int_equal(IOObjectRelease(name), kIOReturnSuccess);
	assert_int_equal(destroyed, 0);
	assert_null(iou_name_lookup(name, IOU_SERVICE));
	iou_object_release(object);
	assert_int_equal(destroyed, 1);
}

static void test_kinds_are_checked(void **state)
{
	unsigned destroyed = 0;
	io_object_t name = thing_create(IOU_CONNECTION, &destroyed);
	struct iou_object *object;

	(void)state;
	assert_null(iou_name_lookup(name, IOU_SERVICE));
	assert_int_equal(iou_name_release(name, IOU_PORT), kIOReturnBadArgument);
	assert_int_equal(iou_name_retain(name, IOU_ITERATOR), kIOReturnBadArgument);
	object = iou_name_lookup(name, IOU_ANY);
	assert_non_null(object);
	iou_object_release(object);
	assert_int_equal(iou_name_release(name, IOU_CONNECTION), kIOReturnSuccess);
	assert_int_equal(destroyed, 1);
}

/* A reused slot gets a different name, and the old name stays invalid. */
static void test_a_reused_slot_has_another_name(void **state)
{
	unsigned destroyed = 0;
	io_object_t first = thing_create(IOU_SERVICE, &destroyed);

	(void)state;
	IOObjectRelease(first);
	for (unsigned i = 0; i < 4094; i++) { /* all generations except the first */
		io_object_t name = thing_create(IOU_SERVICE, &destroyed);

		assert_int_not_equal(name, first);
		assert_null(iou_name_lookup(first, IOU_ANY));
		assert_int_equal(IOObjectRelease(first), kIOReturnBadArgument);
		assert_int_equal(IOObjectRelease(name), kIOReturnSuccess);
	}
	assert_int_equal(destroyed, 4095);
}

static void test_invalid_names(void **state)
{
	const io_object_t none[] = { IO_OBJECT_NULL, 1u << 20, 0xfffff, mach_task_self(),
		0x80000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		assert_null(iou_name_lookup(none[i], IOU_ANY));
		assert_int_equal(IOObjectRetain(none[i]), kIOReturnBadArgument);
		assert_int_equal(IOObjectRelease(none[i]), kIOReturnBadArgument);
	}
}

/* The table grows, and every name keeps its object. */
static void test_many_at_a_time(void **state)
{
	enum { COUNT = 5000 };
	static io_object_t names[COUNT];
	static unsigned destroyed[COUNT];

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		names[i] = thing_create(IOU_SERVICE, &destroyed[i]);
	for (size_t i = 0; i < COUNT; i++) {
		struct thing *thing = iou_name_lookup(names[i], IOU_SERVICE);

		assert_ptr_equal(thing->destroyed, &destroyed[i]);
		iou_object_release(&thing->object);
	}
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(IOObjectRelease(names[i]), kIOReturnSuccess);
		assert_int_equal(destroyed[i], 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_name_counts_its_references),
		cmocka_unit_test(test_an_object_in_use_outlives_its_name),
		cmocka_unit_test(test_kinds_are_checked),
		cmocka_unit_test(test_a_reused_slot_has_another_name),
		cmocka_unit_test(test_invalid_names),
		cmocka_unit_test(test_many_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
