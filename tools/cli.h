/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Output of command-line programs: errors of one line, sizes, tables. Only cli_error() is
 * thread-safe.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** cli_set_program - set the name that errors begin with; @name is not copied. */
void cli_set_program(const char *name);
/** cli_program - that name. */
const char *cli_program(void);

/** cli_error - print "PROGRAM: ..." and a newline on standard error. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** cli_allocate - @size bytes of zeroes, for free(); exits if there is no memory. */
void *cli_allocate(size_t size);

/** cli_format - a new string, for free(); exits if there is no memory. */
char *cli_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CLI_SIZE_SIZE sizeof("18446744073709551615")

/** cli_format_size - "16K" for a multiple of 1024, as lspci writes it; else the bytes. */
void cli_format_size(uint64_t size, char text[CLI_SIZE_SIZE]);

/*
 * A table: each column is as wide as its widest cell, with two blanks between columns and none
 * at the end of a line. Widths are numbers of UTF-8 characters.
 */
struct cli_table {
	const char *const *heads;
	size_t columns;
	size_t rows;
	char **cells; /* rows * columns, row by row */
};

#define CLI_TABLE(heads_)                                                                          \
	{                                                                                          \
		.heads = (heads_), .columns = sizeof(heads_) / sizeof((heads_)[0])                 \
	}

/** cli_table_add - add a row; @cells are @table->columns strings, which are copied. */
void cli_table_add(struct cli_table *table, const char *const *cells);
void cli_table_print(const struct cli_table *table, FILE *out);
void cli_table_free(struct cli_table *table);

#endif
