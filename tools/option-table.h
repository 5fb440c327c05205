/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of a program, one row of a table each, from which they are read and their help
 * is printed. Errors are printed with cli_error(). Not thread-safe: getopt is not.
 */
#ifndef TOOLS_OPTION_TABLE_H
#define TOOLS_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* How a program ends over a wrong command line. */
enum { EXIT_USAGE = 2 };

/* What reading on is for an exit status. */
#define OPTIONS_GO_ON (-1)

struct option_row {
	const char *name;  /* "socket", for --socket */
	char letter;	   /* 's', for -s; 0 for none */
	const char *value; /* what its value is called, "PATH"; NULL for a flag */
	unsigned group;	   /* a bit; 0 for an option that is in every group */
	const char *help;  /* one or several lines, without a newline at the end */
	/*
	 * @value is NULL for a flag, else a string of argv. Return: OPTIONS_GO_ON, or the exit
	 * status when it has printed why.
	 */
	int (*take)(void *context, const char *value);
};

struct option_table {
	const struct option_row *rows;
	size_t count;
};

#define OPTION_TABLE(array)                                                                        \
	{                                                                                          \
		.rows = (array), .count = sizeof(array) / sizeof((array)[0])                       \
	}

/* What take() returns where the value was good, or was not. */
static inline int option_taken(bool good)
{
	return good ? OPTIONS_GO_ON : EXIT_USAGE;
}

/**
 * options_read - take the options out of @argv, in the order in which they stand there
 * @groups: those groups' options are known, and those of no group
 * @where: goes in front of errors: "FILE:3: ", or "" for the command line
 * @context: for take()
 * @given: set to the groups of those that were there; may be NULL
 *
 * Return: OPTIONS_GO_ON, with what is no option at the end of @argv, from optind on; or the
 * exit status.
 */
int options_read(const struct option_table *table, unsigned groups, const char *where, int argc,
	char **argv, void *context, unsigned *given);

/** options_no_arguments - after options_read(): EXIT_USAGE, said so, where there are others. */
int options_no_arguments(const char *where, int argc, char **argv);

/** options_print - the options of @groups, and those of no group, with their help. */
void options_print(const struct option_table *table, unsigned groups, FILE *out);

#endif
