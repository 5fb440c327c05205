/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/cli.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *program = "dextpci";

void cli_set_program(const char *name)
{
	program = name;
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

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

const char *cli_parse_number(const char *text, uint64_t max, uint64_t *value)
{
	unsigned base = 10;
	uint64_t sum = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return "expected a number, decimal or 0x and hex";
	for (; *text; text++) {
		unsigned digit = (unsigned)digit_value(*text);

		if (digit >= base)
			return "expected a number, decimal or 0x and hex";
		if (__builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
			__builtin_add_overflow(sum, (uint64_t)digit, &sum))
			return "too large a number";
	}
	if (sum > max)
		return "too large a number";
	*value = sum;
	return NULL;
}

/* Up to @digits hex digits at *@text, which is moved past them. */
static bool take_hex(const char **text, int digits, unsigned *value)
{
	int taken = 0;

	for (*value = 0; taken < digits && isxdigit((unsigned char)**text); taken++, (*text)++)
		*value = *value * 16 + (unsigned)digit_value(**text);
	return taken > 0;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

const char *cli_parse_address(const char *text, struct cli_address *address)
{
	unsigned bus, device, function;

	if (!take_hex(&text, 2, &bus) || !take_char(&text, ':') || !take_hex(&text, 2, &device) ||
		!take_char(&text, '.') || !take_hex(&text, 1, &function) || *text)
		return "expected an address BB:DD.F in hex, such as 01:00.0";
	if (device > 0x1f)
		return "expected a device of 00 to 1f in the address BB:DD.F";
	if (function > 7)
		return "expected a function of 0 to 7 in the address BB:DD.F";
	*address = (struct cli_address){(uint8_t)bus, (uint8_t)device, (uint8_t)function};
	return NULL;
}

void cli_format_address(const struct cli_address *address, char text[CLI_ADDRESS_SIZE])
{
	snprintf(text, CLI_ADDRESS_SIZE, "%02x:%02x.%x", address->bus, address->device & 0x1fu,
		address->function & 7u);
}

void cli_format_size(uint64_t size, char text[CLI_SIZE_SIZE])
{
	static const char units[] = "\0KMGTPE";
	size_t unit = 0;

	while (size && size % 1024 == 0) {
		size /= 1024;
		unit++;
	}
	/* At unit 0 the character is the end of the string: no unit at all. */
	snprintf(text, CLI_SIZE_SIZE, "%llu%c", (unsigned long long)size, units[unit]);
}

void cli_table_add(struct cli_table *table, const char *const *cells)
{
	size_t used = table->rows * table->columns;

	table->cells = need_memory(
		reallocarray(table->cells, used + table->columns, sizeof(*table->cells)));
	for (size_t i = 0; i < table->columns; i++)
		table->cells[used + i] = need_memory(strdup(cells[i]));
	table->rows++;
}

/* How many columns of a terminal: bytes that do not continue a character. */
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

/* Blanks are owed until there is something to put after them: none end a line. */
static void print_row(
	const struct cli_table *table, const size_t *widths, size_t row, FILE *out)
{
	size_t owed = 0;

	for (size_t column = 0; column < table->columns; column++) {
		const char *text = cell(table, row, column);

		if (*text) {
			fprintf(out, "%*s%s", (int)owed, "", text);
			owed = 0;
		}
		owed += widths[column] - text_width(text) + 2;
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
