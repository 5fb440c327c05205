/* SPDX-License-Identifier: BSD-3-Clause */
/* The CoreFoundation subset: strings, and dictionaries with string keys. */
#include "iokit/dictionary.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TYPE_STRING = 1, TYPE_DICTIONARY };

/* At the beginning of every object. */
struct header {
	CFTypeID type;
	atomic_long references;
};

struct __CFString {
	struct header header;
	char text[];
};

struct entry {
	struct entry *next;
	CFTypeRef key, value;
};

struct __CFDictionary {
	struct header header;
	struct entry *entries;
};

static void *create(CFTypeID type, size_t size)
{
	struct header *header = calloc(1, size);

	if (!header)
		return NULL;
	header->type = type;
	atomic_init(&header->references, 1);
	return header;
}

static void free_entries(struct entry *entry)
{
	while (entry) {
		struct entry *next = entry->next;

		CFRelease(entry->key);
		CFRelease(entry->value);
		free(entry);
		entry = next;
	}
}

CFTypeRef CFRetain(CFTypeRef object)
{
	struct header *header = (struct header *)(uintptr_t)object;

	atomic_fetch_add(&header->references, 1);
	return object;
}

void CFRelease(CFTypeRef object)
{
	struct header *header = (struct header *)(uintptr_t)object;

	if (atomic_fetch_sub(&header->references, 1) != 1)
		return;
	if (header->type == TYPE_DICTIONARY)
		free_entries(((struct __CFDictionary *)(void *)header)->entries);
	free(header);
}

CFTypeID CFGetTypeID(CFTypeRef object)
{
	return ((const struct header *)object)->type;
}

CFTypeID CFStringGetTypeID(void)
{
	return TYPE_STRING;
}

CFTypeID CFDictionaryGetTypeID(void)
{
	return TYPE_DICTIONARY;
}

CFStringRef CFStringCreateWithCString(
	CFAllocatorRef allocator, const char *text, CFStringEncoding encoding)
{
	struct __CFString *string;
	size_t size;

	(void)allocator;
	if (!text || encoding != kCFStringEncodingUTF8)
		return NULL;
	size = strlen(text) + 1;
	string = create(TYPE_STRING, sizeof(*string) + size);
	if (string)
		memcpy(string->text, text, size);
	return string;
}

/*
 * Constant strings are never freed, and shared by all CFSTR() with the same text.
 */
CFStringRef __CFStringMakeConstantString(const char *text)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards constants */
	static struct entry *constants;
	CFStringRef found = NULL;
	struct entry *entry;

	pthread_mutex_lock(&lock);
	for (entry = constants; entry && !found; entry = entry->next)
		if (strcmp(((CFStringRef)entry->value)->text, text) == 0)
			found = entry->value;
	if (!found) {
		entry = calloc(1, sizeof(*entry));
		found = CFStringCreateWithCString(kCFAllocatorDefault, text, kCFStringEncodingUTF8);
		if (!entry || !found)
			abort(); /* a constant cannot fail */
		/* A program may over-release a constant, as with Apple's. */
		atomic_store(&((struct header *)(uintptr_t)found)->references, LONG_MAX / 2);
		entry->value = found;
		entry->next = constants;
		constants = entry;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

Boolean CFStringGetCString(
	CFStringRef string, char *buffer, CFIndex size, CFStringEncoding encoding)
{
	size_t needed = strlen(string->text) + 1;

	if (encoding != kCFStringEncodingUTF8 || size < 0 || (size_t)size < needed)
		return false;
	memcpy(buffer, string->text, needed);
	return true;
}

CFComparisonResult CFStringCompare(CFStringRef a, CFStringRef b, CFStringCompareFlags flags)
{
	int order = flags & kCFCompareCaseInsensitive ? strcasecmp(a->text, b->text) :
							strcmp(a->text, b->text);

	if (order == 0)
		return kCFCompareEqualTo;
	return order < 0 ? kCFCompareLessThan : kCFCompareGreaterThan;
}

CFMutableDictionaryRef iou_dictionary_create(void)
{
	return create(TYPE_DICTIONARY, sizeof(struct __CFDictionary));
}

static struct entry *find(CFDictionaryRef dictionary, CFTypeRef key)
{
	struct entry *entry = dictionary->entries;

	while (entry && CFStringCompare(entry->key, key, 0) != kCFCompareEqualTo)
		entry = entry->next;
	return entry;
}

void CFDictionarySetValue(CFMutableDictionaryRef dictionary, const void *key, const void *value)
{
	struct entry *entry = find(dictionary, key);

	CFRetain(value);
	if (entry) {
		CFRelease(entry->value);
		entry->value = value;
		return;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		abort(); /* as Apple's: the call cannot return an error */
	entry->key = CFRetain(key);
	entry->value = value;
	entry->next = dictionary->entries;
	dictionary->entries = entry;
}

const void *CFDictionaryGetValue(CFDictionaryRef dictionary, const void *key)
{
	struct entry *entry = find(dictionary, key);

	return entry ? entry->value : NULL;
}
