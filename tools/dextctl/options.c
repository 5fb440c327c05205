/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of all commands, from one table: parsed, checked and listed. */
#include "tools/dextctl/dextctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct option_row {
	const char *name;
	char letter;		/* 0 for none */
	const char *value;	/* what it looks like; NULL for a flag */
	unsigned takes;		/* CTL_TAKES_*, 0 for an option of every command */
	const char *help;
	bool (*set)(struct ctl_options *options, const char *value);
};

static bool set_json(struct ctl_options *options, const char *value)
{
	(void)value;
	return options->json = true;
}

static bool set_numeric(struct ctl_options *options, const char *value)
{
	(void)value;
	return options->numeric = true;
}

static bool set_help(struct ctl_options *options, const char *value)
{
	(void)value;
	return options->help = true;
}

static bool set_version(struct ctl_options *options, const char *value)
{
	(void)value;
	return options->version = true;
}

static bool set_socket(struct ctl_options *options, const char *value)
{
	if (!*value)
		cli_error("--socket: expected the path of a driver service's socket");
	options->socket = value;
	return *value;
}

static bool set_width(struct ctl_options *options, const char *value)
{
	return ctl_number("--width", value, UINT64_MAX, &options->width) &&
		ctl_check_width(options->width, 8);
}

static bool set_count(struct ctl_options *options, const char *value)
{
	return ctl_number("--count", value, UINT32_MAX, &options->count);
}

static bool set_mask(struct ctl_options *options, const char *value)
{
	options->mask = value;
	return true;
}

static bool set_host(struct ctl_options *options, const char *value)
{
	(void)value;
	return options->host = true;
}

static const struct option_row rows[] = {
	{"width", 'w', "BYTES", CTL_TAKES_WIDTH,
		"bytes an access: 1, 2, 4 (unless told) or 8 (BARs)", set_width},
	{"count", 'c', "NUMBER", CTL_TAKES_COUNT, "end after so many", set_count},
	{"mask", 'm', "VECTORS", CTL_TAKES_MASK, "enable these vectors alone, such as 0,4-7",
		set_mask},
	{"host", 'H', NULL, CTL_TAKES_HOST, "list the PCI devices of this host instead", set_host},
	{"json", 'j', NULL, 0, "print JSON", set_json},
	{"numeric", 'n', NULL, 0, "print ids, not names of vendors, devices and classes",
		set_numeric},
	{"socket", 's', "PATH", 0,
		"socket of the driver service, instead of $DEXT_SOCKET",
		set_socket},
	{"help", 'h', NULL, 0, "print help, of one command where one is named", set_help},
	{"version", 'V', NULL, 0, "print the version", set_version},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct option_row *find_row(int letter)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

static void fill_getopt(struct option longs[ROWS + 1], char shorts[2 * ROWS + 2])
{
	*shorts++ = ':';	/* tell a missing value from an unknown option */
	for (size_t i = 0; i < ROWS; i++) {
		longs[i] = (struct option){.name = rows[i].name,
			.has_arg = rows[i].value ? required_argument : no_argument,
			.val = rows[i].letter};
		*shorts++ = rows[i].letter;
		if (rows[i].value)
			*shorts++ = ':';
	}
	longs[ROWS] = (struct option){0};
	*shorts = '\0';
}

/* getopt has stopped at something: @found is '?' or ':', optopt a letter or 0. */
static void say_what_is_wrong(char **argv, int found)
{
	const struct option_row *row = find_row(optopt);

	if (found == ':' && row)
		cli_error("--%s: expected a value: --%s %s", row->name, row->name, row->value);
	else if (strncmp(argv[optind - 1], "--", 2) == 0 && row)
		cli_error("%s: the option takes no value", argv[optind - 1]);
	else if (optopt && strncmp(argv[optind - 1], "--", 2) != 0)
		cli_error("-%c: no such option; dextctl --help lists them", optopt);
	else
		cli_error("%s: no such option; dextctl --help lists them", argv[optind - 1]);
}

int ctl_parse_options(int argc, char **argv, struct ctl_options *options, unsigned *given)
{
	struct option longs[ROWS + 1];
	char shorts[2 * ROWS + 2];
	int found;

	*options = (struct ctl_options){.json = false};
	*given = 0;
	fill_getopt(longs, shorts);
	opterr = 0;
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row = find_row(found);

		if (!row) {
			say_what_is_wrong(argv, found);
			return -1;
		}
		if (!row->set(options, optarg))
			return -1;
		*given |= row->takes;
	}
	return optind;
}

bool ctl_check_given(const struct ctl_command *command, unsigned given)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (!(rows[i].takes & given & ~command->options))
			continue;
		cli_error("--%s: %s does not take this option", rows[i].name, command->name);
		return false;
	}
	return true;
}

void ctl_print_options(unsigned takes, FILE *out)
{
	for (size_t i = 0; i < ROWS; i++) {
		char name[32];

		if (rows[i].takes & ~takes)
			continue;
		snprintf(name, sizeof(name), "-%c, --%s%s%s", rows[i].letter, rows[i].name,
			rows[i].value ? " " : "", rows[i].value ? rows[i].value : "");
		fprintf(out, "  %-20s  %s\n", name, rows[i].help);
	}
}

static int usage_width(const struct ctl_command *command)
{
	return (int)(strlen(command->name) + 1 + strlen(command->arguments));
}

void ctl_print_usage(const struct ctl_command *const *commands, FILE *out)
{
	int width = 0;

	for (size_t i = 0; commands[i]; i++)
		if (usage_width(commands[i]) > width)
			width = usage_width(commands[i]);
	fputs("Usage: dextctl [OPTION]... COMMAND [ARGUMENT]...\n"
	      "Look at, poke, watch and reset the PCI devices of a driver service (dextd).\n"
	      "\n"
	      "Commands:\n", out);
	for (size_t i = 0; commands[i]; i++) {
		const struct ctl_command *command = commands[i];

		fprintf(out, "  %s %s%*s  %s\n", command->name, command->arguments,
			width - usage_width(command), "", command->summary);
	}
	fputs("\nOptions, anywhere on the line:\n", out);
	ctl_print_options(~0u, out);
	fputs("\n"
	      "ADDR is an address BB:DD.F in hex, or ROOT/BB:DD.F on one of several PCI roots,\n"
	      "as list shows it. Offsets and values of registers are hex, other numbers decimal, or\n"
	      "hex with 0x. The exit status is 0, 1 for a failure, or 2 for a wrong command line.\n"
	      "\n"
	      "Examples:\n"
	      "  dextctl list                        the devices that there are\n"
	      "  dextctl info 01:00.0                all about one of them\n"
	      "  dextctl list --json | jq '.[].address'\n"
	      "  dextctl config read 01:00.0 STATUS  its status register\n"
	      "  dextctl trace 01:00.0               each call of its clients, as it comes\n"
	      "  dextctl COMMAND --help              more about a command\n", out);
}

/* Lines, each two blanks in. */
static void print_indented(const char *text, FILE *out)
{
	while (*text) {
		const char *end = strchr(text, '\n');
		int length = end ? (int)(end - text) : (int)strlen(text);

		fprintf(out, "  %.*s\n", length, text);
		text += length + (end ? 1 : 0);
	}
}

void ctl_print_command_help(const struct ctl_command *command, FILE *out)
{
	fprintf(out, "Usage: dextctl %s%s%s [OPTION]...\n%s", command->name,
		*command->arguments ? " " : "", command->arguments, command->help);
	fputs("\nOptions:\n", out);
	ctl_print_options(command->options, out);
	fputs("\nExamples:\n", out);
	print_indented(command->examples, out);
}
