/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: options of all commands from one table, help, and checks of arguments. */
#include "common/number.h"
#include "tools/dextctl/dextctl.h"
#include "tools/option-table.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static int take_socket(void *place, const char *value)
{
	*(const char **)place = value;
	if (!*value)
		cli_error("--socket: expected the path of a driver service's socket");
	return option_status(*value);
}

static int take_width(void *place, const char *value)
{
	uint64_t *width = place;

	return option_status(
		ctl_number("--width", value, UINT64_MAX, width) && ctl_check_width(*width, 8));
}

static int take_count(void *place, const char *value)
{
	return option_status(ctl_number("--count", value, UINT32_MAX, place));
}

#define AT(member) offsetof(struct ctl_options, member)

static const struct option_row rows[] = {
	{ "width", 'w', "BYTES", CTL_TAKES_WIDTH,
		"width of the access: 1, 2, 4 (default), 8 (BARs)", take_width, AT(width) },
	{ "count", 'c', "NUMBER", CTL_TAKES_COUNT, "end after that many lines or tables",
		take_count, AT(count) },
	{ "mask", 'm', "VECTORS", CTL_TAKES_MASK, "enable only these vectors, such as 0,4-7",
		option_text, AT(mask) },
	{ "host", 'H', NULL, CTL_TAKES_HOST, "list the PCI devices of this host instead",
		option_set, AT(host) },
	{ "json", 'j', NULL, 0, "print JSON", option_set, AT(json) },
	{ "numeric", 'n', NULL, 0, "print ids, not names of vendors, devices and classes",
		option_set, AT(numeric) },
	{ "socket", 's', "PATH", 0, "socket of the driver service ($DEXT_SOCKET)", take_socket,
		AT(socket) },
	{ "help", 'h', NULL, 0, "print help, on a command if one is given", option_set, AT(help) },
	{ "version", 'V', NULL, 0, "print the version", option_version, 0 },
};
static const struct option_table table = OPTION_TABLE(rows);

int ctl_parse_options(int argc, char **argv, struct ctl_options *options, unsigned *given)
{
	*options = (struct ctl_options){ .json = false };
	return options_read(&table, ~0u, "", argc, argv, options, given);
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

/* --- Help ------------------------------------------------------------------------ */

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
	      "ADDR is an address BB:DD.F in hex, as list shows it; with several PCI roots,\n"
	      "ROOT/BB:DD.F. Offsets and values of registers are hex; other numbers are\n"
	      "decimal, or hex with 0x. Exit status: 0, 1 for a failure, 2 for a usage error.\n"
	      "\n"
	      "Examples:\n"
	      "  dextctl list                        all devices\n"
	      "  dextctl info 01:00.0                everything about one of them\n"
	      "  dextctl list --json | jq '.[].address'\n"
	      "  dextctl config read 01:00.0 STATUS  its status register\n"
	      "  dextctl trace 01:00.0               each call of its clients, live\n"
	      "  dextctl help COMMAND                help on a command\n",
		out);
}

void ctl_print_command_help(const struct ctl_command *command, FILE *out)
{
	const char *line = command->examples;

	fprintf(out, "Usage: dextctl %s%s%s [OPTION]...\n%s", command->name,
		*command->arguments ? " " : "", command->arguments, command->help);
	fputs("\nOptions:\n", out);
	options_print(&table, command->options, out);
	fputs("\nExamples:\n", out);
	for (size_t length; *line; line += length) {
		length = strcspn(line, "\n") + 1;
		fprintf(out, "  %.*s", (int)length, line);
	}
}

/* --- Arguments -------------------------------------------------------------------- */

bool ctl_number(const char *what, const char *text, uint64_t max, uint64_t *value)
{
	const char *problem = number_parse(text, max, value);

	if (problem && max < UINT64_MAX)
		cli_error("%s %s: %s, at most %llu", what, text, problem, (unsigned long long)max);
	else if (problem)
		cli_error("%s %s: %s", what, text, problem);
	return !problem;
}

bool ctl_hex(const char *what, const char *text, uint64_t *value)
{
	const char *problem = number_parse_hex(text, UINT64_MAX, value);

	if (problem)
		cli_error("%s %s: %s", what, text, problem);
	return !problem;
}

/* Parse "4" or "4-7" into @mask. */
static bool parse_range(char *text, uint64_t mask[DEXT_IRQ_WORDS])
{
	char *dash = strchr(text, '-');
	uint64_t first, last;

	if (dash)
		*dash = '\0';
	if (number_parse(text, DEXT_VECTORS_MAX - 1, &first) ||
		number_parse(dash ? dash + 1 : text, DEXT_VECTORS_MAX - 1, &last) || last < first)
		return false;
	for (uint64_t vector = first; vector <= last; vector++)
		mask[vector / 64] |= UINT64_C(1) << vector % 64;
	return true;
}

bool ctl_vectors(const char *what, const char *text, uint64_t mask[DEXT_IRQ_WORDS])
{
	char *copy = cli_format("%s", text), *rest = copy, *range;
	bool valid = true;

	memset(mask, 0, DEXT_IRQ_WORDS * sizeof(*mask));
	while (valid && (range = strsep(&rest, ",")) != NULL)
		valid = parse_range(range, mask);
	if (!valid)
		cli_error("%s %s: expected vectors, 0 to %u, such as 0,4-7", what, text,
			DEXT_VECTORS_MAX - 1);
	free(copy);
	return valid;
}

bool ctl_check_width(uint64_t width, uint64_t max)
{
	if (width && width <= max && !(width & (width - 1)))
		return true;
	cli_error("width %llu: expected 1, 2%s 4%s bytes", (unsigned long long)width,
		max > 4 ? "," : " or", max > 4 ? " or 8" : "");
	return false;
}

bool ctl_check_access(const char *what, uint64_t offset, uint64_t width, uint64_t size)
{
	if (offset % width) {
		cli_error("%s, offset 0x%llx: expected a multiple of the width, %llu", what,
			(unsigned long long)offset, (unsigned long long)width);
		return false;
	}
	if (offset >= size || width > size - offset) {
		cli_error("%s, offset 0x%llx: past the end (its size is 0x%llx)", what,
			(unsigned long long)offset, (unsigned long long)size);
		return false;
	}
	return true;
}

bool ctl_check_value(uint64_t value, uint64_t width)
{
	if (width >= 8 || !(value >> (width * 8)))
		return true;
	cli_error("value 0x%llx: does not fit in %llu byte%s", (unsigned long long)value,
		(unsigned long long)width, width == 1 ? "" : "s");
	return false;
}
