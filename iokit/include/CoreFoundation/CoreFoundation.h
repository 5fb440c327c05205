/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The part of CoreFoundation that clients of IOKit's user clients need:
 * reference-counted strings, numbers and mutable dictionaries. Signatures and
 * semantics are Apple's. Every function is safe to call from any thread; one
 * mutable dictionary is for one thread at a time.
 */
#ifndef COREFOUNDATION_COREFOUNDATION_H
#define COREFOUNDATION_COREFOUNDATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef const void *CFTypeRef;
typedef unsigned long CFTypeID;
typedef long CFIndex;
typedef unsigned char Boolean;
typedef uint32_t CFStringEncoding;
typedef CFIndex CFComparisonResult;
typedef unsigned long CFStringCompareFlags;

typedef const struct __CFAllocator *CFAllocatorRef;
typedef const struct __CFString *CFStringRef;
typedef const struct __CFDictionary *CFDictionaryRef;
typedef struct __CFDictionary *CFMutableDictionaryRef;

#define kCFAllocatorDefault   ((CFAllocatorRef)NULL)
#define kCFStringEncodingUTF8 ((CFStringEncoding)0x08000100)

enum { kCFCompareLessThan = -1, kCFCompareEqualTo = 0, kCFCompareGreaterThan = 1 };
enum { kCFCompareCaseInsensitive = 1 };

/**
 * CFSTR - a string that lives as long as the program
 * @literal: a string literal, UTF-8
 *
 * Return: a reference that need not be released.
 */
#define CFSTR(literal) __CFStringMakeConstantString("" literal "")
CFStringRef __CFStringMakeConstantString(const char *text);

/** CFRetain - take one more reference. Return: @object. @object must not be NULL. */
CFTypeRef CFRetain(CFTypeRef object);
/** CFRelease - give up one reference; the last frees the object. */
void CFRelease(CFTypeRef object);
/** CFGetTypeID - the type of @object, to be compared with CFStringGetTypeID(). */
CFTypeID CFGetTypeID(CFTypeRef object);

/** CFStringGetTypeID - the type of strings. */
CFTypeID CFStringGetTypeID(void);
/**
 * CFStringCreateWithCString - a string from NUL-terminated bytes
 * @allocator: kCFAllocatorDefault
 * @text: the bytes, copied
 * @encoding: kCFStringEncodingUTF8, the only one here
 *
 * Return: a new reference, or NULL for another encoding or without memory.
 */
CFStringRef CFStringCreateWithCString(
	CFAllocatorRef allocator, const char *text, CFStringEncoding encoding);
/**
 * CFStringGetCString - copy a string out, NUL-terminated
 *
 * Return: true, or false when @size bytes do not hold it all, or for an encoding
 * other than UTF-8; the buffer's content is then unspecified.
 */
Boolean CFStringGetCString(
	CFStringRef string, char *buffer, CFIndex size, CFStringEncoding encoding);
/** CFStringCompare - order two strings by bytes; kCFCompareEqualTo when they are the same. */
CFComparisonResult CFStringCompare(CFStringRef a, CFStringRef b, CFStringCompareFlags flags);

/** CFDictionaryGetTypeID - the type of dictionaries. */
CFTypeID CFDictionaryGetTypeID(void);
/** CFDictionarySetValue - set @key (a CFString) to @value; both are retained. */
void CFDictionarySetValue(CFMutableDictionaryRef dictionary, const void *key, const void *value);
/** CFDictionaryGetValue - the value of @key, not retained, or NULL. */
const void *CFDictionaryGetValue(CFDictionaryRef dictionary, const void *key);

#ifdef __cplusplus
}
#endif
#endif
