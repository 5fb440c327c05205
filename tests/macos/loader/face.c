/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Mach-O client library for programs of Linux: a shared object for LD_PRELOAD that has the
 * interface of libapple-dext-client.so. Each function (face-stubs.S, generated) jumps to the
 * function of that name in the file that MACHO_LIBRARY names.
 *
 * Preloaded, not found by a path: a program that sets LD_LIBRARY_PATH in between, as meson does, would
 * otherwise have the ELF library tested in its place.
 */
#include "tests/macos/loader/macho.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const char *const face_names[];
extern void *face_targets[];

static _Noreturn void give_up(const char *why)
{
	fprintf(stderr, "macho: %s\n", why);
	_exit(127);
}

/* Whether this process has the library by the interface that stands here. */
static bool is_in_front(void)
{
	void *used = dlsym(RTLD_DEFAULT, face_names[0]), *own;
	Dl_info there, here;

	own = face_targets;
	return dladdr(used, &there) && dladdr(own, &here) && there.dli_fbase == here.dli_fbase;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("MACHO_LIBRARY");
	char error[MACHO_ERROR_SIZE], name[128];
	struct macho_image *image;

	if (!path)
		give_up("MACHO_LIBRARY names no file");
	if (!is_in_front())
		give_up("the program has another client library in front of the Mach-O one");
	libsystem_init();
	image = macho_load(path, error);
	if (!image)
		give_up(error);
	for (size_t i = 0; face_names[i]; i++) {
		snprintf(name, sizeof(name), "_%s", face_names[i]);
		face_targets[i] = macho_symbol(image, name);
		if (face_targets[i])
			continue;
		snprintf(error, sizeof(error), "%s: %s is not exported", path, name);
		give_up(error);
	}
}
