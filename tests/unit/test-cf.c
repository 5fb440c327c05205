/* SPDX-License-Identifier: BSD-3-Clause */
/* The CoreFoundation subset: strings, numbers, dictionaries. */
#include "iokit/dictionary.h"
#include "tests/lib/cmocka-all.h"

#include <string.h>

static CFStringRef string(const char *text)
{
	CFStringRef made =
		CFStringCreateWithCString(kCFAllocatorDefault, text, kCFStringEncodingUTF8);

	assert_non_null(made);
	return made;
}

static void test_a_string_copies_its_text(void **state)
{
	char text[] = "VFIOUserPCIDriver", copy[32] = "";
	CFStringRef made = string(text);

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_true(CFStringGetCString(made, copy, sizeof(copy), kCFStringEncodingUTF8));
	assert_string_equal(copy, "VFIOUserPCIDriver");
	assert_int_equal(CFGetTypeID(made), CFStringGetTypeID());
	CFRelease(made);
}

static void test_invalid_strings(void **state)
{
	(void)state;
	assert_null(CFStringCreateWithCString(kCFAllocatorDefault, NULL, kCFStringEncodingUTF8));
	assert_null(CFStringCreateWithCString(kCFAllocatorDefault, "a", 0x0600));
}

static void test_copy_into_an_exact_buffer(void **state)
{
	CFStringRef made = string("four");
	char room[5];

	(void)state;
	assert_true(CFStringGetCString(made, room, 5, kCFStringEncodingUTF8));
	assert_string_equal(room, "four");
	assert_false(CFStringGetCString(made, room, 4, kCFStringEncodingUTF8));
	assert_false(CFStringGetCString(made, room, 0, kCFStringEncodingUTF8));
	assert_false(CFStringGetCString(made, room, -1, kCFStringEncodingUTF8));
	assert_false(CFStringGetCString(made, room, 5, 0x0600));
	CFRelease(made);
}

static void test_comparison(void **state)
{
	CFStringRef a = string("abc"), b = string("abd"), upper = string("ABC");

	(void)state;
	assert_int_equal(CFStringCompare(a, b, 0), kCFCompareLessThan);
	assert_int_equal(CFStringCompare(b, a, 0), kCFCompareGreaterThan);
	assert_int_equal(CFStringCompare(a, CFSTR("abc"), 0), kCFCompareEqualTo);
	assert_int_not_equal(CFStringCompare(a, upper, 0), kCFCompareEqualTo);
	assert_int_equal(CFStringCompare(a, upper, kCFCompareCaseInsensitive), kCFCompareEqualTo);
	CFRelease(a);
	CFRelease(b);
	CFRelease(upper);
}

/* One object for each text; an extra CFRelease() has no effect, as in Apple's. */
static void test_constants(void **state)
{
	CFStringRef first = CFSTR("constant");

	(void)state;
	assert_ptr_equal(CFSTR("constant"), first);
	assert_ptr_not_equal(CFSTR("another"), first);
	for (int i = 0; i < 4; i++)
		CFRelease(first);
	assert_ptr_equal(CFSTR("constant"), first);
	assert_int_equal(CFStringCompare(first, CFSTR("constant"), 0), kCFCompareEqualTo);
}

static void test_a_dictionary_retains_its_values(void **state)
{
	CFMutableDictionaryRef dictionary = iou_dictionary_create();
	CFStringRef key = string("key"), same = string("key"), first = string("1");
	CFStringRef second = string("2");

	(void)state;
	assert_int_equal(CFGetTypeID(dictionary), CFDictionaryGetTypeID());
	assert_null(CFDictionaryGetValue(dictionary, key));
	CFDictionarySetValue(dictionary, key, first);
	assert_ptr_equal(CFDictionaryGetValue(dictionary, same), first);
	CFDictionarySetValue(dictionary, same, second);
	assert_ptr_equal(CFDictionaryGetValue(dictionary, key), second);
	assert_null(CFDictionaryGetValue(dictionary, CFSTR("other")));
	/* The same key again: the dictionary has its own reference to the value. */
	CFDictionarySetValue(dictionary, key, second);
	CFRelease(first);
	CFRelease(second);
	assert_ptr_equal(CFDictionaryGetValue(dictionary, same), second);
	assert_int_equal(CFStringCompare(second, CFSTR("2"), 0), kCFCompareEqualTo);
	CFRelease(key);
	CFRelease(same);
	CFRelease(dictionary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_string_copies_its_text),
		cmocka_unit_test(test_invalid_strings),
		cmocka_unit_test(test_copy_into_an_exact_buffer),
		cmocka_unit_test(test_comparison),
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_a_dictionary_retains_its_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
