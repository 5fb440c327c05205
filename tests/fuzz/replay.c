/* SPDX-License-Identifier: BSD-3-Clause */
/* A harness without libFuzzer: runs each input of the named files and folders once. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define INPUT_MAX 65536

static size_t inputs;

static bool run_file(const char *path)
{
	unsigned char data[INPUT_MAX], *exact;
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		return false;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	/* In memory of exactly its size, so that AddressSanitizer detects reads past its end. */
	exact = malloc(size ? size : 1);
	if (!exact)
		return false;
	for (size_t i = 0; i < size; i++)
		exact[i] = data[i];
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	inputs++;
	return true;
}

static bool run_folder(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);
	bool all = count >= 0;

	for (int i = 0; i < count; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			all = run_file(name) && all;
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return all;
}

int main(int argc, char **argv)
{
	bool all = argc > 1;

	for (int i = 1; i < argc; i++) {
		struct stat file;

		if (stat(argv[i], &file) == 0 && S_ISDIR(file.st_mode))
			all = run_folder(argv[i]) && all;
		else
			all = run_file(argv[i]) && all;
	}
	printf("%zu inputs, no finding\n", inputs);
	return all && inputs ? EXIT_SUCCESS : EXIT_FAILURE;
}
