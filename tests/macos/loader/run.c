/* SPDX-License-Identifier: BSD-3-Clause */
/* Usage: macho-run FILE [ARGUMENT...]: run an x86_64 Mach-O program. */
#include "tests/macos/loader/macho.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	char error[MACHO_ERROR_SIZE];
	struct macho_image *image;
	int (*entry)(int argc, char **argv);

	if (argc < 2) {
		fputs("usage: macho-run FILE [ARGUMENT...]\n", stderr);
		return 2;
	}
	libsystem_init();
	image = macho_load(argv[1], error);
	if (!image) {
		fprintf(stderr, "macho: %s\n", error);
		return 127;
	}
	*(void **)&entry = macho_entry(image);
	if (!entry) {
		fprintf(stderr, "macho: %s: no program, expected an executable\n", argv[1]);
		return 127;
	}
	exit(entry(argc - 1, argv + 1));
}
