/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/macos/loader/libsystem.h"
#include "tests/macos/loader/macho.h"

#include <dlfcn.h>
#include <getopt.h>
#include <mach/mach.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void libsystem_untranslated(const char *what, long value)
{
	fprintf(stderr, "macho: %s %#lx of Darwin's has no translation\n", what, value);
	_exit(126);
}

long flags_to_host(const char *what, long flags, const struct flag *table, size_t count)
{
	long host = 0, left = flags;

	for (size_t i = 0; i < count; i++) {
		if ((flags & table[i].darwin) != table[i].darwin)
			continue;
		host |= table[i].host;
		left &= ~table[i].darwin;
	}
	if (left != 0)
		libsystem_untranslated(what, left);
	return host;
}

long flags_to_darwin(long flags, const struct flag *table, size_t count)
{
	long darwin = 0;

	for (size_t i = 0; i < count; i++)
		if (table[i].host != 0 && (flags & table[i].host) == table[i].host)
			darwin |= table[i].darwin;
	return darwin;
}

/* --- Data, and what has no counterpart ------------------------------------------------ */

static mach_port_t task_self;
static unsigned long stack_guard = 0x595e9fbd94fda766ul;

/* The character classes of ASCII: the beginning of struct _RuneLocale (runetype.h). */
static struct {
	char magic[8], encoding[32];
	void *convert[2];
	int invalid;
	unsigned types[256];
	int lower[256], upper[256];
} runes;

enum {
	RUNE_ALPHA = 0x100,
	RUNE_CONTROL = 0x200,
	RUNE_DIGIT = 0x400,
	RUNE_GRAPH = 0x800,
	RUNE_LOWER = 0x1000,
	RUNE_PUNCTUATION = 0x2000,
	RUNE_SPACE = 0x4000,
	RUNE_UPPER = 0x8000,
	RUNE_HEX = 0x10000,
	RUNE_BLANK = 0x20000,
	RUNE_PRINT = 0x40000,
};

static unsigned rune_type(char c)
{
	static const char spaces[] = " \t\n\v\f\r";
	unsigned type = 0;

	if (c >= 'a' && c <= 'z')
		type |= RUNE_ALPHA | RUNE_LOWER;
	if (c >= 'A' && c <= 'Z')
		type |= RUNE_ALPHA | RUNE_UPPER;
	if (c >= '0' && c <= '9')
		type |= RUNE_DIGIT;
	if ((type & RUNE_DIGIT) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
		type |= RUNE_HEX;
	if (c > ' ' && c < 0x7f)
		type |= RUNE_GRAPH | (type ? 0 : RUNE_PUNCTUATION);
	if (c != '\0' && strchr(spaces, c))
		type |= RUNE_SPACE;
	if (c == ' ' || c == '\t')
		type |= RUNE_BLANK;
	return type | (c >= ' ' && c < 0x7f ? RUNE_PRINT : RUNE_CONTROL);
}

static int shim_maskrune(int c, unsigned long mask)
{
	(void)c, (void)mask;
	return 0; /* past ASCII, of which alone it is not asked: nothing */
}

static int shim_tolower(int c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static void shim_bzero(void *memory, size_t size)
{
	memset(memory, 0, size);
}

static _Noreturn void shim_stack_chk_fail(void)
{
	fputs("macho: a stack was overrun\n", stderr);
	abort();
}

/* All pointers are bound when a file is loaded, and thunks are tls.c's. */
static _Noreturn void shim_never_called(void)
{
	fputs("macho: a stub of the loader was called\n", stderr);
	abort();
}

static long shim_sysconf(int name)
{
	switch (name) {
	case 29:
		return sysconf(_SC_PAGESIZE);
	case 58:
		return sysconf(_SC_NPROCESSORS_ONLN);
	default:
		libsystem_untranslated("sysconf", name);
	}
}

void libsystem_init(void)
{
	task_self = mach_task_self();
	for (int c = 0; c < 0x80; c++) {
		runes.types[c] = rune_type((char)c);
		runes.lower[c] = shim_tolower(c);
		runes.upper[c] = c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
	}
}

static const struct libsystem_row rows[] = {
	{ "_mach_task_self_", &task_self },
	{ "___stack_chk_guard", &stack_guard },
	{ "__DefaultRuneLocale", &runes },
	{ "___stderrp", &stderr },
	{ "___stdoutp", &stdout },
	{ "___maskrune", shim_maskrune },
	{ "___tolower", shim_tolower },
	{ "___bzero", shim_bzero },
	{ "___stack_chk_fail", shim_stack_chk_fail },
	{ "__tlv_bootstrap", shim_never_called },
	{ "dyld_stub_binder", shim_never_called },
	{ "_sysconf", shim_sysconf },
	{ NULL, NULL },
};

/*
 * What both systems define alike: names, types and numbers. Before a name is added, check that
 * no argument or result has a number or a layout of its own.
 */
static const char *const alike[] = { "___memcpy_chk", "__exit", "_calloc", "_dispatch_async_f",
	"_dispatch_queue_create", "_dispatch_release", "_dispatch_sync_f", "_exit", "_fclose",
	"_ferror", "_fflush", "_flock", "_flockfile", "_fopen", "_fprintf", "_fputc", "_fputs",
	"_free", "_funlockfile", "_geteuid", "_getline", "_getopt_long", "_listen", "_malloc",
	"_memchr", "_memcmp", "_memcpy", "_memmove", "_memset", "_mkdtemp", "_munmap", "_optarg",
	"_opterr", "_optind", "_optopt", "_pipe", "_printf", "_puts", "_qsort", "_read", "_realloc",
	"_rmdir", "_shutdown", "_snprintf", "_strchr", "_strcmp", "_strcspn", "_strdup", "_strlen",
	"_strncmp", "_strrchr", "_unlink", "_vasprintf", "_vfprintf", "_vsnprintf", "_write" };

void *libsystem_symbol(const char *name)
{
	static const struct libsystem_row *const tables[] = { rows, libsystem_errors,
		libsystem_files, libsystem_kqueue, libsystem_sockets, libsystem_threads };

	for (size_t i = 0; i < COUNT(tables); i++)
		for (const struct libsystem_row *row = tables[i]; row->name; row++)
			if (strcmp(row->name, name) == 0)
				return row->address;
	for (size_t i = 0; i < COUNT(alike); i++)
		if (strcmp(alike[i], name) == 0)
			return dlsym(RTLD_DEFAULT, name + 1);
	return NULL;
}
