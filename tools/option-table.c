/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/option-table.h"
#include "tools/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* What getopt returns for a long option: its row's index plus this. */
#define FIRST 256

int option_set(void *place, const char *value)
{
	(void)value;
	*(bool *)place = true;
	return OPTIONS_CONTINUE;
}

int option_clear(void *place, const char *value)
{
	(void)value;
	*(bool *)place = false;
	return OPTIONS_CONTINUE;
}

int option_text(void *place, const char *value)
{
	*(const char **)place = value;
	return OPTIONS_CONTINUE;
}

int option_version(void *place, const char *value)
{
	(void)place;
	(void)value;
	printf("%s " DEXTPCI_VERSION "\n", cli_program());
	return EXIT_SUCCESS;
}

static bool is_known(const struct option_row *row, unsigned groups)
{
	return !row->group || (row->group & groups);
}

/* @found: a letter, or FIRST and more for a long option */
static const struct option_row *find_row(const struct option_table *table, int found)
{
	if (found >= FIRST && (size_t)(found - FIRST) < table->count)
		return &table->rows[found - FIRST];
	for (size_t i = 0; found > 0 && i < table->count; i++)
		if (table->rows[i].letter == found)
			return &table->rows[i];
	return NULL;
}

static void fill_getopt(
	const struct option_table *table, unsigned groups, struct option *longs, char *shorts)
{
	*shorts++ = ':'; /* distinguish a missing value from an unknown option */
	for (size_t i = 0; i < table->count; i++) {
		const struct option_row *row = &table->rows[i];

		if (!is_known(row, groups))
			continue;
		*longs++ = (struct option){ .name = row->name,
			.has_arg = row->value ? required_argument : no_argument,
			.val = FIRST + (int)i };
		if (!row->letter)
			continue;
		*shorts++ = row->letter;
		if (row->value)
			*shorts++ = ':';
	}
	*longs = (struct option){ .name = NULL };
	*shorts = '\0';
}

/* @found: '?' or ':'. optopt is then a letter, the value of a long option, or 0. */
static void report_error(
	const struct option_table *table, const char *where, const char *word, int found)
{
	const struct option_row *row = find_row(table, optopt);
	bool is_long = strncmp(word, "--", 2) == 0;
	char letter[] = { '-', (char)optopt, '\0' };

	if (found == ':' && row)
		cli_error("%s--%s: expected a value: --%s %s", where, row->name, row->name,
			row->value);
	else if (is_long && row)
		cli_error("%s%s: the option takes no value", where, word);
	else
		cli_error("%s%s: no such option%s", where, is_long ? word : letter,
			*where ? "" : " (see --help)");
}

int options_read(const struct option_table *table, unsigned groups, const char *where, int argc,
	char **argv, void *context, unsigned *given)
{
	struct option *longs = cli_allocate((table->count + 1) * sizeof(*longs));
	char *shorts = cli_allocate(2 * table->count + 2);
	int found, status = OPTIONS_CONTINUE;
	unsigned seen = 0;

	fill_getopt(table, groups, longs, shorts);
	opterr = 0;
	optind = 0; /* reset getopt */
	while (status == OPTIONS_CONTINUE &&
		(found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row =
			found == '?' || found == ':' ? NULL : find_row(table, found);

		if (row) {
			seen |= row->group;
			status = row->take(
				(char *)context + row->offset, row->value ? optarg : NULL);
		} else {
			report_error(table, where, argv[optind - 1], found);
			status = EXIT_USAGE;
		}
	}
	free(longs);
	free(shorts);
	if (given)
		*given = seen;
	return status;
}

int options_no_arguments(const char *where, int argc, char **argv)
{
	if (optind >= argc)
		return OPTIONS_CONTINUE;
	cli_error(
		"%s%s: unexpected argument%s", where, argv[optind], *where ? "" : " (see --help)");
	return EXIT_USAGE;
}

#define LEFT_WIDTH 24

static void print_row(const struct option_row *row, FILE *out)
{
	char letter[] = { '-', row->letter, ',', ' ', '\0' }, left[64];
	const char *help = row->help;

	snprintf(left, sizeof(left), "%s--%s%s%s", row->letter ? letter : "    ", row->name,
		row->value ? " " : "", row->value ? row->value : "");
	if (strlen(left) > LEFT_WIDTH) {
		fprintf(out, "  %s\n", left);
		*left = '\0';
	}
	for (;;) {
		int length = (int)strcspn(help, "\n");

		fprintf(out, "  %-*s  %.*s\n", LEFT_WIDTH, left, length, help);
		if (!help[length])
			return;
		help += length + 1;
		*left = '\0';
	}
}

void options_print(const struct option_table *table, unsigned groups, FILE *out)
{
	for (size_t i = 0; i < table->count; i++)
		if (is_known(&table->rows[i], groups))
			print_row(&table->rows[i], out);
}
