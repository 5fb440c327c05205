/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *program = "dextpci";

void cli_set_program(const char *name)
{
	program = name;
}

const char *cli_program(void)
{
	return program;
}

void cli_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	flockfile(stderr);
	fprintf(stderr, "%s: ", program);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	funlockfile(stderr);
	va_end(arguments);
}

static void *need_memory(void *memory)
{
	if (!memory) {
		cli_error("out of memory");
		exit(EXIT_FAILURE);
	}
	return memory;
}

void *cli_allocate(size_t size)
{
	return need_memory(calloc(1, size));
}

char *cli_format(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	return need_memory(text);
}

void cli_format_size(uint64_t size, char text[CLI_SIZE_SIZE])
{
	static const char units[] = "\0KMGTPE";
	size_t unit = 0;

	while (size && size % 1024 == 0) {
		size /= 1024;
		unit++;
	}
	/* The unit of bytes is a NUL: the string ends there. */
	snprintf(text, CLI_SIZE_SIZE, "%llu%c", (unsigned long long)size, units[unit]);
}

void cli_table_add(struct cli_table *table, const char *const *cells)
{
	size_t used = table->rows * table->columns;

	table->cells =
		need_memory(realloc(table->cells, (used + table->columns) * sizeof(*table->cells)));
	for (size_t i = 0; i < table->columns; i++)
		table->cells[used + i] = need_memory(strdup(cells[i]));
	table->rows++;
}

/* The number of characters: of bytes that do not continue a UTF-8 sequence. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0u) != 0x80u;
	return width;
}

static const char *cell(const struct cli_table *table, size_t row, size_t column)
{
	return row ? table->cells[(row - 1) * table->columns + column] : table->heads[column];
}

static size_t column_width(const struct cli_table *table, size_t column)
{
	size_t width = 0;

	for (size_t row = 0; row <= table->rows; row++) {
		size_t wide = text_width(cell(table, row, column));

		if (wide > width)
			width = wide;
	}
	return width;
}

/* Blanks are only printed before a cell that has text, so that no line ends in blanks. */
static void print_row(const struct cli_table *table, const size_t *widths, size_t row, FILE *out)
{
	size_t blanks = 0;

	for (size_t column = 0; column < table->columns; column++) {
		const char *text = cell(table, row, column);

		if (*text) {
			fprintf(out, "%*s%s", (int)blanks, "", text);
			blanks = 0;
		}
		blanks += widths[column] - text_width(text) + 2;
	}
	fputc('\n', out);
}

void cli_table_print(const struct cli_table *table, FILE *out)
{
	size_t *widths = cli_allocate(table->columns * sizeof(*widths));

	for (size_t column = 0; column < table->columns; column++)
		widths[column] = column_width(table, column);
	for (size_t row = 0; row <= table->rows; row++)
		print_row(table, widths, row, out);
	free(widths);
}

void cli_table_free(struct cli_table *table)
{
	for (size_t i = 0; i < table->rows * table->columns; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
	table->rows = 0;
}
