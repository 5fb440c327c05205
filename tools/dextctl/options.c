/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of all commands, from one table: parsed, checked and listed. */
#include "tools/dextctl/dextctl.h"
#include "tools/option-table.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static int set_json(void *context, const char *value)
{
	struct ctl_options *options = context;

	(void)value;
	options->json = true;
	return OPTIONS_CONTINUE;
}

static int set_numeric(void *context, const char *value)
{
	struct ctl_options *options = context;

	(void)value;
	options->numeric = true;
	return OPTIONS_CONTINUE;
}

static int set_help(void *context, const char *value)
{
	struct ctl_options *options = context;

	(void)value;
	options->help = true;
	return OPTIONS_CONTINUE;
}

static int set_version(void *context, const char *value)
{
	struct ctl_options *options = context;

	(void)value;
	options->version = true;
	return OPTIONS_CONTINUE;
}

static int set_socket(void *context, const char *value)
{
	struct ctl_options *options = context;

	if (!*value)
		cli_error("--socket: expected the path of a driver service's socket");
	options->socket = value;
	return option_status(*value);
}

static int set_width(void *context, const char *value)
{
	struct ctl_options *options = context;

	return option_status(ctl_number("--width", value, UINT64_MAX, &options->width) &&
			     ctl_check_width(options->width, 8));
}

static int set_count(void *context, const char *value)
{
	struct ctl_options *options = context;

	return option_status(ctl_number("--count", value, UINT32_MAX, &options->count));
}

static int set_mask(void *context, const char *value)
{
	struct ctl_options *options = context;

	options->mask = value;
	return OPTIONS_CONTINUE;
}

static int set_host(void *context, const char *value)
{
	struct ctl_options *options = context;

	(void)value;
	options->host = true;
	return OPTIONS_CONTINUE;
}

static const struct option_row rows[] = {
	{ "width", 'w', "BYTES", CTL_TAKES_WIDTH,
		"bytes an access: 1, 2, 4 (unless told) or 8 (BARs)", set_width, 0 },
	{ "count", 'c', "NUMBER", CTL_TAKES_COUNT, "end after so many", set_count, 0 },
	{ "mask", 'm', "VECTORS", CTL_TAKES_MASK, "enable these vectors alone, such as 0,4-7",
		set_mask, 0 },
	{ "host", 'H', NULL, CTL_TAKES_HOST, "list the PCI devices of this host instead", set_host,
		0 },
	{ "json", 'j', NULL, 0, "print JSON", set_json, 0 },
	{ "numeric", 'n', NULL, 0, "print ids, not names of vendors, devices and classes",
		set_numeric, 0 },
	{ "socket", 's', "PATH", 0, "socket of the driver service, instead of $DEXT_SOCKET",
		set_socket, 0 },
	{ "help", 'h', NULL, 0, "print help, of one command where one is named", set_help, 0 },
	{ "version", 'V', NULL, 0, "print the version", set_version, 0 },
};
static const struct option_table table = OPTION_TABLE(rows);

int ctl_parse_options(int argc, char **argv, struct ctl_options *options, unsigned *given)
{
	*options = (struct ctl_options){ .json = false };
	return options_read(&table, ~0u, "", argc, argv, options, given) == OPTIONS_CONTINUE ?
		       optind :
		       -1;
}

bool ctl_check_given(const struct ctl_command *command, unsigned given)
{
	for (size_t i = 0; i < table.count; i++) {
		if (!(rows[i].group & given & ~command->options))
			continue;
		cli_error("--%s: %s does not take this option", rows[i].name, command->name);
		return false;
	}
	return true;
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
	      "Inspect, access, watch and reset the PCI devices of a driver service (dextd).\n"
	      "\n"
	      "Commands:\n",
		out);
	for (size_t i = 0; commands[i]; i++) {
		const struct ctl_command *command = commands[i];

		fprintf(out, "  %s %s%*s  %s\n", command->name, command->arguments,
			width - usage_width(command), "", command->summary);
	}
	fputs("\nOptions, anywhere on the line:\n", out);
	options_print(&table, ~0u, out);
	fputs("\n"
	      "ADDR is an address BB:DD.F in hex, or ROOT/BB:DD.F on one of several PCI roots,\n"
	      "as list shows it. Offsets and values of registers are hex, other numbers decimal, "
	      "or\n"
	      "hex with 0x. The exit status is 0, 1 for a failure, or 2 for a wrong command line.\n"
	      "\n"
	      "Examples:\n"
	      "  dextctl list                        the devices that there are\n"
	      "  dextctl info 01:00.0                all about one of them\n"
	      "  dextctl list --json | jq '.[].address'\n"
	      "  dextctl config read 01:00.0 STATUS  its status register\n"
	      "  dextctl trace 01:00.0               each call of its clients, as it comes\n"
	      "  dextctl help COMMAND                more about a command\n",
		out);
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
	options_print(&table, command->options, out);
	fputs("\nExamples:\n", out);
	print_indented(command->examples, out);
}
