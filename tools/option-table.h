/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of a program as a table, with one row for each option: command lines are parsed,
 * and the help is printed, from the table. Errors are printed with cli_error(). Not
 * thread-safe, since getopt is not.
 */
#ifndef TOOLS_OPTION_TABLE_H
#define TOOLS_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The exit status after a usage error. */
enum { EXIT_USAGE = 2 };

/* In place of an exit status: parsing continues. */
#define OPTIONS_CONTINUE (-1)

struct option_row {
	const char *name;  /* "socket", for --socket */
	char letter;	   /* 's', for -s; 0: none */
	const char *value; /* the name of its value, "PATH"; NULL for a flag */
	unsigned group;	   /* a bit; 0: the option is in every group */
	const char *help;  /* lines, without a newline at the end */
	/*
	 * @place: the context of options_read(), @offset bytes on; @value: a string of argv, NULL
	 * for a flag. Return: OPTIONS_CONTINUE, or the exit status: an error has been printed.
	 */
	int (*take)(void *place, const char *value);
	size_t offset;
};

struct option_table {
	const struct option_row *rows;
	size_t count;
};

#define OPTION_TABLE(array)                                                                        \
	{                                                                                          \
		.rows = (array), .count = sizeof(array) / sizeof((array)[0])                       \
	}

/** option_status - what take() returns for a valid or an invalid value. */
static inline int option_status(bool valid)
{
	return valid ? OPTIONS_CONTINUE : EXIT_USAGE;
}

/* Functions for take(). */

/** option_set - set a bool to true. */
int option_set(void *place, const char *value);
/** option_clear - set a bool to false. */
int option_clear(void *place, const char *value);
/** option_text - store @value in a const char *. */
int option_text(void *place, const char *value);
/** option_version - print the program and its version. Return: EXIT_SUCCESS. */
int option_version(void *place, const char *value);

/**
 * options_read - parse the options of a command line, in their order
 * @groups: only options of these groups are known
 * @where: the beginning of error messages: "FILE:3: ", or "" for the command line
 * @context: passed to take()
 * @given: set to the groups of the options found; may be NULL
 *
 * Arguments that are not options are moved to the end of @argv, from optind on.
 *
 * Return: OPTIONS_CONTINUE, or the exit status.
 */
int options_read(const struct option_table *table, unsigned groups, const char *where, int argc,
	char **argv, void *context, unsigned *given);

/** options_no_arguments - after options_read(): EXIT_USAGE, printed, if there are arguments. */
int options_no_arguments(const char *where, int argc, char **argv);

/** options_print - print the options of @groups with their help. */
void options_print(const struct option_table *table, unsigned groups, FILE *out);

#endif
