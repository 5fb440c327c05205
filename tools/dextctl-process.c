/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-process.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *process_name(int32_t pid, char text[PROCESS_NAME_SIZE])
{
	char path[sizeof("/proc//comm") + PROCESS_ID_SIZE];
	const char *read;
	FILE *file;

	if (pid <= 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	read = fgets(text, PROCESS_NAME_SIZE, file);
	fclose(file);
	if (!read)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	/* A process names itself as it likes: no control characters for the terminal. */
	for (char *c = text; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	return text;
}

const char *process_id(int32_t pid, char text[PROCESS_ID_SIZE])
{
	if (pid)
		snprintf(text, PROCESS_ID_SIZE, "%d", pid);
	else
		snprintf(text, PROCESS_ID_SIZE, "-");
	return text;
}
