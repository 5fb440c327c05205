/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl.h"

#include <string.h>

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
	      "as list shows it. Numbers are decimal, or hex with 0x. The exit status is 0, 1 for\n"
	      "a failure, or 2 for a wrong command line.\n"
	      "\n"
	      "Examples:\n"
	      "  dextctl list                        the devices that there are\n"
	      "  dextctl info 01:00.0                all about one of them\n"
	      "  dextctl list --json | jq '.[].address'\n"
	      "  dextctl config read 01:00.0 0 -w 2  its vendor id\n"
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
