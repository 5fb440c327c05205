/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thread-local variables. Code calls the first word of a variable's descriptor, which returns
 * the variable's address; all descriptors of a file get the thunk of tls-thunk.S.
 */
#include "tests/macos/loader/macho.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct thread_locals {
	pthread_key_t key;
	uint64_t begin, size; /* addresses in the file */
	const unsigned char *initial;
};

/* As in the file. */
struct descriptor {
	void (*thunk)(void);
	struct thread_locals *locals;
	uint64_t offset;
};

void macho_tls_thunk(void);
void *macho_tls_address(const struct descriptor *descriptor);

void *macho_tls_address(const struct descriptor *descriptor)
{
	const struct thread_locals *locals = descriptor->locals;
	unsigned char *mine = pthread_getspecific(locals->key);

	if (!mine) {
		mine = malloc(locals->size);
		if (!mine)
			abort();
		memcpy(mine, locals->initial, locals->size);
		pthread_setspecific(locals->key, mine);
	}
	return mine + descriptor->offset;
}

/* Of the image that is being prepared; loading is one thread's. */
static struct thread_locals *current;

static bool measure(struct macho_image *image, const struct section *section)
{
	uint32_t type = section->flags & SECTION_TYPE;

	(void)image;
	if (type != S_THREAD_LOCAL_REGULAR && type != S_THREAD_LOCAL_ZEROFILL)
		return true;
	if (current->size == 0)
		current->begin = section->addr;
	current->size = section->addr + section->size - current->begin;
	return true;
}

static bool set_descriptors(struct macho_image *image, const struct section *section)
{
	unsigned char *memory = macho_at(image, section->addr, section->size);

	if ((section->flags & SECTION_TYPE) != S_THREAD_LOCAL_VARIABLES)
		return true;
	if (!memory)
		return macho_fail(image, "thread-local variables lie outside its segments");
	for (uint64_t at = 0; at + sizeof(struct descriptor) <= section->size;
		at += sizeof(struct descriptor)) {
		struct descriptor descriptor;

		memcpy(&descriptor, memory + at, sizeof(descriptor));
		if (descriptor.offset >= current->size)
			return macho_fail(
				image, "a thread-local variable lies outside its section");
		descriptor.thunk = macho_tls_thunk;
		descriptor.locals = current;
		memcpy(memory + at, &descriptor, sizeof(descriptor));
	}
	return true;
}

bool macho_prepare_thread_locals(struct macho_image *image)
{
	current = calloc(1, sizeof(*current));
	if (!current || pthread_key_create(&current->key, free) != 0)
		return macho_fail(image, "out of memory");
	macho_each_section(image, measure);
	current->initial = macho_at(image, current->begin, current->size);
	if (current->size != 0 && !current->initial)
		return macho_fail(image, "thread-local variables lie outside its segments");
	return macho_each_section(image, set_descriptors);
}
