/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a command-line program needs again and again: one-line errors, sizes and
 * tables. Nothing in here
 * knows a driver. Not thread-safe, but for cli_error().
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** cli_set_program - the name that errors begin with; a string that stays. */
void cli_set_program(const char *name);

/** cli_error - one line on standard error, "PROGRAM: ...", without the newline in @format. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** cli_allocate - @size zeroed bytes for free(); ends the program when there are none. */
void *cli_allocate(size_t size);

/** cli_format - a new string for free(); ends the program when there is no memory. */
char *cli_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CLI_SIZE_SIZE sizeof("18446744073709551615")

/** cli_format_size - "16K" where the size is a multiple, as lspci writes it; else in bytes. */
void cli_format_size(uint64_t size, char text[CLI_SIZE_SIZE]);

/*
 * A table: columns as wide as their widest cell, two blanks between them, none
 * at the end of a line. Widths count characters of UTF-8, not bytes.
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

/** cli_table_add - one more row; @cells are @table->columns strings, copied. */
void cli_table_add(struct cli_table *table, const char *const *cells);
void cli_table_print(const struct cli_table *table, FILE *out);
void cli_table_free(struct cli_table *table);

#endif
