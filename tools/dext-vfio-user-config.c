/* SPDX-License-Identifier: BSD-3-Clause */
/* The file with one device a line. */
#include "tools/dext-vfio-user-options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 32

static bool is_blank(char character)
{
	return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

/* One word, its quotes taken away, in place. Return: what follows; NULL: a quote is open. */
static char *take_word(char *at, char **word)
{
	char *out = at, quote = '\0';

	*word = at;
	for (; *at != '\0' && (quote != '\0' || !is_blank(*at)); at++) {
		if (quote == '\0' && (*at == '\'' || *at == '"'))
			quote = *at;
		else if (*at == quote)
			quote = '\0';
		else
			*out++ = *at;
	}
	if (quote != '\0')
		return NULL;
	if (*at != '\0')
		at++;
	*out = '\0';
	return at;
}

/* Return: how many words there are, -1 when a quote is open, -2 when there are too many. */
static int split(char *line, char **words)
{
	int count = 0;

	for (;;) {
		while (is_blank(*line))
			line++;
		if (*line == '\0' || *line == '#')
			return count;
		if (count == WORDS_MAX)
			return -2;
		line = take_word(line, &words[count++]);
		if (!line)
			return -1;
	}
}

static int take_line(struct options *options, const char *where, char *line, size_t length)
{
	char program[] = "dext-vfio-user";
	char *words[WORDS_MAX + 2] = { program };
	int count;

	if (strlen(line) != length)
		return option_error(where, "there is a NUL in it: it is no text");
	count = split(line, words + 1);
	if (count == -1)
		return option_error(where, "a quote is not closed");
	if (count < 0)
		return option_error(where, "more than %d words", WORDS_MAX);
	words[count + 1] = NULL;
	return count == 0 ? -1 : options_add(options, where, count + 1, words);
}

static int take_lines(struct options *options, const char *path, FILE *file)
{
	char where[sizeof(options->entries->where)], *line = NULL;
	size_t room = 0;
	ssize_t length;
	int status = -1;

	for (unsigned number = 1; status < 0 && (length = getline(&line, &room, file)) >= 0;
		number++) {
		snprintf(where, sizeof(where), "%.256s:%u: ", path, number);
		status = take_line(options, where, line, (size_t)length);
	}
	if (status < 0 && ferror(file)) {
		fprintf(stderr, "dext-vfio-user: %s: %s\n", path, strerror(errno));
		status = EXIT_FAILURE;
	}
	free(line);
	return status;
}

int options_read_file(struct options *options, const char *path)
{
	FILE *file = fopen(path, "re");
	int status;

	if (!file) {
		fprintf(stderr, "dext-vfio-user: %s: %s\n", path, strerror(errno));
		return EXIT_FAILURE;
	}
	status = take_lines(options, path, file);
	fclose(file);
	if (status < 0 && options->count == 0) {
		fprintf(stderr, "dext-vfio-user: %s: there is no device in it\n", path);
		return EXIT_USAGE;
	}
	return status;
}
