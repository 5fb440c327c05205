/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A loader of x86_64 Mach-O files for Linux: what dyld does with the files that ld64.lld 14
 * writes for macOS 11. Calling convention and types are those of Linux; libSystem is
 * libsystem*.c, which states what is believed of Darwin's C library.
 */
#ifndef MACHO_H
#define MACHO_H

#include "tests/macos/loader/macho-format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHO_SEGMENTS_MAX  8
#define MACHO_LIBRARIES_MAX 8
#define MACHO_ERROR_SIZE    512

struct macho_segment {
	char name[17];
	uint64_t address, size; /* as in the file; the slide is added in memory */
	uint32_t protection;
};

/* What a file imports from: another Mach-O file, or a library of this host by its Mac name. */
struct macho_library {
	const char *name;
	struct macho_image *image; /* NULL: the host's */
};

struct macho_image {
	char *path;
	unsigned char *file; /* all of it; kept, since names point into it */
	size_t file_size;
	uint64_t base; /* lowest address in the file */
	unsigned char *memory;
	uint64_t memory_size;
	struct macho_segment segments[MACHO_SEGMENTS_MAX];
	uint32_t segment_count;
	struct macho_library libraries[MACHO_LIBRARIES_MAX];
	uint32_t library_count;
	struct symtab_command symbols;
	struct dyld_info_command fixups;
	const char *run_path; /* LC_RPATH, one at most; NULL: none */
	uint64_t entry;	      /* file offset; 0: none */
	char *error;	      /* MACHO_ERROR_SIZE bytes */
};

/**
 * macho_load - map a file and the Mach-O libraries that it names, and run initialisers
 * @error: MACHO_ERROR_SIZE bytes; one line that names the file and what is wrong with it
 *
 * Return: the image, which stays for the life of the process, or NULL.
 */
struct macho_image *macho_load(const char *path, char *error);

/** macho_symbol - the address of an exported symbol, with its underscore, or NULL. */
void *macho_symbol(const struct macho_image *image, const char *name);

/** macho_entry - main() of an executable, or NULL. */
void *macho_entry(const struct macho_image *image);

/* --- Between the loader's files -------------------------------------------------- */

/** macho_fail - fill in the image's error. Return: false. */
bool macho_fail(struct macho_image *image, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** macho_range - @size bytes at @offset of the file, or NULL past its end. */
const void *macho_range(const struct macho_image *image, uint64_t offset, uint64_t size);

/** macho_at - where @size bytes at an address of the file are in memory, or NULL. */
void *macho_at(const struct macho_image *image, uint64_t address, uint64_t size);

/** macho_fix_up - rebase and bind. */
bool macho_fix_up(struct macho_image *image);

/** macho_each_section - call @visit for each section, until one returns false. */
bool macho_each_section(struct macho_image *image,
	bool (*visit)(struct macho_image *image, const struct section *section));

/** macho_prepare_thread_locals - set up the descriptors of thread-local variables. */
bool macho_prepare_thread_locals(struct macho_image *image);

/** libsystem_symbol - the host's stand-in for a symbol of libSystem, or NULL. */
void *libsystem_symbol(const char *name);
/** libsystem_init - fill in the data that libSystem exports; once. */
void libsystem_init(void);
/** libsystem_untranslated - end the process: a value of Darwin's that no shim knows. */
_Noreturn void libsystem_untranslated(const char *what, long value);

#endif
