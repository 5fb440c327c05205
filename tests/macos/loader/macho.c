/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/macos/loader/macho.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

bool macho_fail(struct macho_image *image, const char *format, ...)
{
	int used = snprintf(image->error, MACHO_ERROR_SIZE, "%.200s: ", image->path);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(image->error + used, MACHO_ERROR_SIZE - (size_t)used, format, arguments);
	va_end(arguments);
	return false;
}

const void *macho_range(const struct macho_image *image, uint64_t offset, uint64_t size)
{
	if (offset > image->file_size || size > image->file_size - offset)
		return NULL;
	return image->file + offset;
}

void *macho_at(const struct macho_image *image, uint64_t address, uint64_t size)
{
	uint64_t offset = address - image->base;

	if (address < image->base || offset > image->memory_size ||
		size > image->memory_size - offset)
		return NULL;
	return image->memory + offset;
}

static bool read_file(struct macho_image *image)
{
	FILE *file = fopen(image->path, "re");
	long size = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (size >= 0) {
		image->file = malloc((size_t)size + 1);
		rewind(file);
		image->file_size = image->file ? fread(image->file, 1, (size_t)size, file) : 0;
	}
	if (file)
		fclose(file);
	if (!image->file || image->file_size != (size_t)size)
		return macho_fail(image, "cannot be read: %s", strerror(errno));
	image->file[size] = '\0'; /* strings end, whatever is in the file */
	return true;
}

/* --- The header and the load commands ---------------------------------------------- */

static bool check_header(struct macho_image *image, struct mach_header *header)
{
	const void *found = macho_range(image, 0, sizeof(*header));

	if (!found)
		return macho_fail(image, "%zu bytes are no Mach-O file", image->file_size);
	memcpy(header, found, sizeof(*header));
	if (header->magic == FAT_MAGIC)
		return macho_fail(image, "a universal file, expected one for x86_64 alone");
	if (header->magic != MH_MAGIC_64)
		return macho_fail(
			image, "no 64-bit Mach-O file (it begins with 0x%08x)", header->magic);
	if (header->cputype == CPU_ARM64)
		return macho_fail(image, "for arm64, expected x86_64");
	if (header->cputype != CPU_X86_64)
		return macho_fail(image, "for CPU type 0x%x, expected x86_64", header->cputype);
	if (header->filetype != MH_EXECUTE && header->filetype != MH_DYLIB)
		return macho_fail(
			image, "file type %u, expected an executable or a dylib", header->filetype);
	return true;
}

static bool is_mapped(const struct macho_segment *segment)
{
	return strcmp(segment->name, "__PAGEZERO") != 0 && segment->size != 0;
}

static bool take_segment(struct macho_image *image, const void *bytes)
{
	const struct segment_command *command = bytes;
	struct macho_segment *segment = &image->segments[image->segment_count];

	if (command->cmdsize < sizeof(*command) ||
		command->nsects > (command->cmdsize - sizeof(*command)) / sizeof(struct section))
		return macho_fail(image, "LC_SEGMENT_64 is too short");
	if (image->segment_count == MACHO_SEGMENTS_MAX)
		return macho_fail(image, "more than %d segments", MACHO_SEGMENTS_MAX);
	if (command->filesize > command->vmsize || command->vmsize > UINT32_MAX * UINT64_C(16) ||
		command->vmaddr + command->vmsize < command->vmaddr ||
		!macho_range(image, command->fileoff, command->filesize))
		return macho_fail(image, "segment %.16s lies outside the file", command->segname);
	memcpy(segment->name, command->segname, sizeof(command->segname));
	segment->address = command->vmaddr;
	segment->size = command->vmsize;
	if (!is_mapped(segment) && command->filesize != 0)
		return macho_fail(image, "segment %s has content", segment->name);
	segment->protection = command->initprot;
	image->segment_count++;
	return true;
}

static const char *get_string(const void *bytes)
{
	const struct string_command *command = bytes;

	return command->cmdsize > sizeof(*command) && command->offset < command->cmdsize &&
			       memchr((const char *)bytes + command->offset, '\0',
				       command->cmdsize - command->offset) ?
		       (const char *)bytes + command->offset :
		       NULL;
}

static bool take_library(struct macho_image *image, const void *bytes)
{
	const char *name = get_string(bytes);

	if (!name || image->library_count == MACHO_LIBRARIES_MAX)
		return macho_fail(image, "LC_LOAD_DYLIB: no name, or more than %d libraries",
			MACHO_LIBRARIES_MAX);
	image->libraries[image->library_count++].name = name;
	return true;
}

static bool take_run_path(struct macho_image *image, const void *bytes)
{
	if (image->run_path)
		return macho_fail(image, "more than one LC_RPATH");
	image->run_path = get_string(bytes);
	return image->run_path || macho_fail(image, "LC_RPATH: no path");
}

#define TAKE(name, field, type)                                                                    \
	static bool name(struct macho_image *image, const void *bytes)                             \
	{                                                                                          \
		if (((const struct load_command *)bytes)->cmdsize < sizeof(type))                  \
			return macho_fail(image, #type " is too short");                           \
		memcpy(&image->field, bytes, sizeof(type));                                        \
		return true;                                                                       \
	}
TAKE(take_symbols, symbols, struct symtab_command)
TAKE(take_fixups, fixups, struct dyld_info_command)

static bool take_entry(struct macho_image *image, const void *bytes)
{
	const struct entry_point_command *command = bytes;

	if (command->cmdsize < sizeof(*command))
		return macho_fail(image, "LC_MAIN is too short");
	image->entry = command->entryoff;
	return true;
}

/* The commands that this loader knows; NULL: nothing to do for. */
static const struct {
	uint32_t command;
	bool (*take)(struct macho_image *image, const void *bytes);
} commands[] = {
	{ LC_SEGMENT_64, take_segment },
	{ LC_DYLD_INFO_ONLY, take_fixups },
	{ LC_SYMTAB, take_symbols },
	{ LC_LOAD_DYLIB, take_library },
	{ LC_RPATH, take_run_path },
	{ LC_MAIN, take_entry },
	{ LC_DYSYMTAB, NULL },
	{ LC_ID_DYLIB, NULL },
	{ LC_LOAD_DYLINKER, NULL },
	{ LC_UUID, NULL },
	{ LC_CODE_SIGNATURE, NULL },
	{ LC_FUNCTION_STARTS, NULL },
	{ LC_DATA_IN_CODE, NULL },
	{ LC_SOURCE_VERSION, NULL },
	{ LC_BUILD_VERSION, NULL },
};

static bool take_command(struct macho_image *image, const struct load_command *command)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (commands[i].command == command->cmd)
			return !commands[i].take || commands[i].take(image, command);
	return macho_fail(image, "load command 0x%x is unknown to this loader", command->cmd);
}

static bool each_command(struct macho_image *image,
	bool (*take)(struct macho_image *image, const struct load_command *command))
{
	const struct mach_header *header = (const void *)image->file;
	uint64_t at = sizeof(*header);

	for (uint32_t i = 0; i < header->ncmds; i++) {
		const struct load_command *command = macho_range(image, at, sizeof(*command));

		if (!command || command->cmdsize < sizeof(*command) || command->cmdsize % 8 != 0 ||
			!macho_range(image, at, command->cmdsize))
			return macho_fail(image, "load command %u lies outside the file", i);
		if (!take(image, command))
			return false;
		at += command->cmdsize;
	}
	return true;
}

/* --- Memory --------------------------------------------------------------------------- */

static bool reserve(struct macho_image *image)
{
	uint64_t from = UINT64_MAX, to = 0;

	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct macho_segment *segment = &image->segments[i];

		if (!is_mapped(segment))
			continue;
		from = segment->address < from ? segment->address : from;
		to = segment->address + segment->size > to ? segment->address + segment->size : to;
	}
	if (to <= from || to - from > UINT32_MAX)
		return macho_fail(image, "its segments do not fit in 4 GiB");
	image->base = from;
	image->memory_size = to - from;
	image->memory = mmap(NULL, image->memory_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return image->memory != MAP_FAILED || macho_fail(image, "mmap: %s", strerror(errno));
}

static bool copy_segment(struct macho_image *image, const struct load_command *command)
{
	const struct segment_command *segment = (const void *)command;

	if (command->cmd == LC_SEGMENT_64 && segment->filesize != 0)
		memcpy(macho_at(image, segment->vmaddr, segment->filesize),
			image->file + segment->fileoff, segment->filesize);
	return true;
}

/* Last of all: no segment is writable and executable. The numbers of VM_PROT_* are PROT_*'s. */
static bool protect(struct macho_image *image)
{
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct macho_segment *segment = &image->segments[i];
		void *memory = macho_at(image, segment->address, segment->size);

		if (!is_mapped(segment))
			continue;
		if (mprotect(memory, segment->size, (int)segment->protection) != 0)
			return macho_fail(
				image, "segment %s: mprotect: %s", segment->name, strerror(errno));
	}
	return true;
}

/* --- Sections ------------------------------------------------------------------------- */

bool macho_each_section(struct macho_image *image,
	bool (*visit)(struct macho_image *image, const struct section *section))
{
	const struct mach_header *header = (const void *)image->file;
	const struct load_command *command = (const void *)(header + 1);

	for (uint32_t i = 0; i < header->ncmds; i++) {
		const struct segment_command *segment = (const void *)command;
		const struct section *sections = (const void *)(segment + 1);

		for (uint32_t k = 0; command->cmd == LC_SEGMENT_64 && k < segment->nsects; k++)
			if (!visit(image, &sections[k]))
				return false;
		command = (const void *)((const char *)command + command->cmdsize);
	}
	return true;
}

static bool run_initialisers(struct macho_image *image, const struct section *section)
{
	uint32_t type = section->flags & SECTION_TYPE;
	unsigned char *memory = macho_at(image, section->addr, section->size);

	if (type == S_INIT_FUNC_OFFSETS)
		return macho_fail(image, "initialisers by offset are not supported");
	if (type != S_MOD_INIT_FUNC_POINTERS)
		return true;
	if (!memory)
		return macho_fail(image, "initialisers lie outside its segments");
	for (uint64_t at = 0; at + sizeof(void *) <= section->size; at += sizeof(void *)) {
		void (*initialise)(void);

		memcpy(&initialise, memory + at, sizeof(initialise));
		initialise();
	}
	return true;
}

/* --- Libraries ------------------------------------------------------------------------ */

/* "@rpath/NAME" with a run path "@loader_path/..." */
static bool load_library(struct macho_image *image, struct macho_library *library)
{
	static const char variable[] = "@rpath/", loader[] = "@loader_path";
	const char *slash = strrchr(image->path, '/');
	char path[4096];

	if (strncmp(library->name, variable, strlen(variable)) != 0)
		return true;
	if (!image->run_path || strncmp(image->run_path, loader, strlen(loader)) != 0)
		return macho_fail(
			image, "%s: no LC_RPATH that begins with %s", library->name, loader);
	snprintf(path, sizeof(path), "%.*s%s/%s", slash ? (int)(slash - image->path) : 1,
		slash ? image->path : ".", image->run_path + strlen(loader),
		library->name + strlen(variable));
	library->image = macho_load(path, image->error);
	return library->image != NULL;
}

void *macho_symbol(const struct macho_image *image, const char *name)
{
	const struct symtab_command *table = &image->symbols;
	const struct nlist *symbols =
		macho_range(image, table->symoff, table->nsyms * sizeof(*symbols));

	if (!symbols || !macho_range(image, table->stroff, table->strsize))
		return NULL;
	for (uint32_t i = 0; i < table->nsyms; i++) {
		const struct nlist *symbol = &symbols[i];

		if ((symbol->n_type & N_EXT) && (symbol->n_type & N_TYPE) == N_SECT &&
			symbol->n_strx < table->strsize &&
			strcmp((char *)image->file + table->stroff + symbol->n_strx, name) == 0)
			return macho_at(image, symbol->n_value, 1);
	}
	return NULL;
}

void *macho_entry(const struct macho_image *image)
{
	return image->entry ? macho_at(image, image->base + image->entry, 1) : NULL;
}

static bool load(struct macho_image *image)
{
	struct mach_header header;

	if (!read_file(image) || !check_header(image, &header) ||
		!each_command(image, take_command) || !reserve(image))
		return false;
	each_command(image, copy_segment);
	for (uint32_t i = 0; i < image->library_count; i++)
		if (!load_library(image, &image->libraries[i]))
			return false;
	return macho_fix_up(image) && macho_prepare_thread_locals(image) && protect(image) &&
	       macho_each_section(image, run_initialisers);
}

struct macho_image *macho_load(const char *path, char *error)
{
	struct macho_image *image = calloc(1, sizeof(*image));

	snprintf(error, MACHO_ERROR_SIZE, "out of memory");
	if (!image)
		return NULL;
	image->path = strdup(path);
	image->error = error;
	if (image->path && load(image))
		return image;
	if (image->memory && image->memory != MAP_FAILED)
		munmap(image->memory, image->memory_size);
	free(image->file);
	free(image->path);
	free(image);
	return NULL;
}
