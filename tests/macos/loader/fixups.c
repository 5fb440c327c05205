/* SPDX-License-Identifier: BSD-3-Clause */
/* Rebasing and binding by the opcodes of LC_DYLD_INFO_ONLY. Lazy pointers are bound at once. */
#include "tests/macos/loader/macho.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define POINTER	  sizeof(void *)
#define LIBSYSTEM "/usr/lib/libSystem.B.dylib"

/* A stream of opcodes, and the registers that they set. */
struct program {
	struct macho_image *image;
	const unsigned char *at, *end;
	bool broken; /* an operand ends behind the stream */
	uint32_t segment;
	uint64_t offset;
	int64_t addend;
	uint64_t library; /* 1 is the first */
	const char *symbol;
};

static uint64_t take_uleb(struct program *program)
{
	uint64_t value = 0;

	for (unsigned shift = 0; program->at < program->end && shift < 64; shift += 7) {
		unsigned char byte = *program->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	program->broken = true;
	return 0;
}

static const char *take_string(struct program *program)
{
	const char *string = (const char *)program->at;
	const unsigned char *end = memchr(program->at, '\0', (size_t)(program->end - program->at));

	program->broken = program->broken || !end;
	program->at = end ? end + 1 : program->end;
	return end ? string : "";
}

static void set_place(struct program *program, uint32_t segment)
{
	program->segment = segment;
	program->offset = take_uleb(program);
}

/* Where the next pointer is, which is then passed. NULL: not in the segment. */
static unsigned char *take_pointer(struct program *program)
{
	const struct macho_image *image = program->image;
	const struct macho_segment *segment = &image->segments[program->segment];
	uint64_t offset = program->offset;

	program->offset += POINTER;
	if (program->segment >= image->segment_count || offset > segment->size ||
		segment->size - offset < POINTER)
		return NULL;
	return macho_at(image, segment->address + offset, POINTER);
}

static bool rebase(struct program *program, uint64_t count, uint64_t skip)
{
	for (uint64_t i = 0; i < count; i++) {
		unsigned char *place = take_pointer(program);
		uint64_t value;

		if (!place)
			return macho_fail(program->image, "a rebase lies outside its segments");
		memcpy(&value, place, sizeof(value));
		value += (uint64_t)(uintptr_t)program->image->memory - program->image->base;
		memcpy(place, &value, sizeof(value));
		program->offset += skip;
	}
	return true;
}

static bool run_rebase(struct program *program)
{
	while (program->at < program->end && !program->broken) {
		unsigned opcode = *program->at & 0xf0u, immediate = *program->at & 0x0fu;
		uint64_t count;
		bool good = true;

		program->at++;
		switch (opcode) {
		case 0x00: /* DONE */
			return true;
		case 0x10: /* SET_TYPE_IMM: 1 is a pointer */
			good = immediate == 1;
			break;
		case 0x20: /* SET_SEGMENT_AND_OFFSET_ULEB */
			set_place(program, immediate);
			break;
		case 0x30: /* ADD_ADDR_ULEB */
			program->offset += take_uleb(program);
			break;
		case 0x40: /* ADD_ADDR_IMM_SCALED */
			program->offset += immediate * POINTER;
			break;
		case 0x50: /* DO_REBASE_IMM_TIMES */
			good = rebase(program, immediate, 0);
			break;
		case 0x60: /* DO_REBASE_ULEB_TIMES */
			good = rebase(program, take_uleb(program), 0);
			break;
		case 0x70: /* DO_REBASE_ADD_ADDR_ULEB */
			good = rebase(program, 1, take_uleb(program));
			break;
		case 0x80: /* DO_REBASE_ULEB_TIMES_SKIPPING_ULEB */
			count = take_uleb(program);
			good = rebase(program, count, take_uleb(program));
			break;
		default:
			return macho_fail(
				program->image, "rebase opcode 0x%02x is unknown", opcode);
		}
		if (!good)
			return program->image->error[0] != '\0' ?
				       false :
				       macho_fail(program->image, "rebase type %u", immediate);
	}
	return !program->broken || macho_fail(program->image, "its rebase opcodes are cut off");
}

/* The host's library that stands for a Mac's: this process has it loaded. */
static void *host_symbol(const char *library, const char *name)
{
	if (strcmp(library, LIBSYSTEM) == 0)
		return libsystem_symbol(name);
	return name[0] == '_' ? dlsym(RTLD_DEFAULT, name + 1) : NULL;
}

static bool bind_one(struct program *program)
{
	struct macho_image *image = program->image;
	const struct macho_library *library = &image->libraries[program->library - 1];
	unsigned char *place = take_pointer(program);
	uint64_t value;
	void *symbol;

	if (program->library == 0 || program->library > image->library_count)
		return macho_fail(image, "%s: from library %llu, it has %u", program->symbol,
			(unsigned long long)program->library, image->library_count);
	if (!place)
		return macho_fail(image, "%s is bound outside its segments", program->symbol);
	symbol = library->image ? macho_symbol(library->image, program->symbol) :
				  host_symbol(library->name, program->symbol);
	if (!symbol)
		return macho_fail(
			image, "symbol %s is missing in %s", program->symbol, library->name);
	value = (uint64_t)(uintptr_t)symbol + (uint64_t)program->addend;
	memcpy(place, &value, sizeof(value));
	return true;
}

static bool run_bind(struct program *program, bool lazy)
{
	while (program->at < program->end && !program->broken) {
		unsigned opcode = *program->at & 0xf0u, immediate = *program->at & 0x0fu;
		uint64_t count, skip;

		program->at++;
		switch (opcode) {
		case 0x00: /* DONE: of one lazy symbol, or of all */
			if (!lazy)
				return true;
			break;
		case 0x10: /* SET_DYLIB_ORDINAL_IMM */
			program->library = immediate;
			break;
		case 0x20: /* SET_DYLIB_ORDINAL_ULEB */
			program->library = take_uleb(program);
			break;
		case 0x40: /* SET_SYMBOL_TRAILING_FLAGS_IMM */
			program->symbol = take_string(program);
			break;
		case 0x50: /* SET_TYPE_IMM: 1 is a pointer */
			if (immediate != 1)
				return macho_fail(program->image, "bind type %u", immediate);
			break;
		case 0x60: /* SET_ADDEND_SLEB; negative ones are not written */
			program->addend = (int64_t)take_uleb(program);
			break;
		case 0x70: /* SET_SEGMENT_AND_OFFSET_ULEB */
			set_place(program, immediate);
			break;
		case 0x80: /* ADD_ADDR_ULEB */
			program->offset += take_uleb(program);
			break;
		case 0x90: /* DO_BIND */
			if (!bind_one(program))
				return false;
			break;
		case 0xa0: /* DO_BIND_ADD_ADDR_ULEB */
			if (!bind_one(program))
				return false;
			program->offset += take_uleb(program);
			break;
		case 0xb0: /* DO_BIND_ADD_ADDR_IMM_SCALED */
			if (!bind_one(program))
				return false;
			program->offset += immediate * POINTER;
			break;
		case 0xc0: /* DO_BIND_ULEB_TIMES_SKIPPING_ULEB */
			count = take_uleb(program);
			skip = take_uleb(program);
			for (; count > 0; count--, program->offset += skip)
				if (!bind_one(program))
					return false;
			break;
		default:
			return macho_fail(program->image, "bind opcode 0x%02x is unknown", opcode);
		}
	}
	return !program->broken || macho_fail(program->image, "its bind opcodes are cut off");
}

static bool open_program(
	struct macho_image *image, uint32_t offset, uint32_t size, struct program *program)
{
	const unsigned char *bytes = macho_range(image, offset, size);

	if (!bytes)
		return macho_fail(image, "its opcodes lie outside the file");
	*program = (struct program){
		.image = image, .at = bytes, .end = bytes + size, .symbol = "no symbol"
	};
	return true;
}

bool macho_fix_up(struct macho_image *image)
{
	const struct dyld_info_command *fixups = &image->fixups;
	struct program program = { .image = image };

	image->error[0] = '\0';
	if (fixups->weak_bind_size != 0)
		return macho_fail(image, "weak symbols are not supported");
	return open_program(image, fixups->rebase_off, fixups->rebase_size, &program) &&
	       run_rebase(&program) &&
	       open_program(image, fixups->bind_off, fixups->bind_size, &program) &&
	       run_bind(&program, false) &&
	       open_program(image, fixups->lazy_bind_off, fixups->lazy_bind_size, &program) &&
	       run_bind(&program, true);
}
