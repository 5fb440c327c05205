/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl: inspect, access, watch and reset the devices of a driver service. */
#include "tools/dextctl/dextctl.h"
#include "tools/option-table.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the help. */
static const struct ctl_command *const commands[] = {
	&ctl_list,
	&ctl_info,
	&ctl_config_read,
	&ctl_config_write,
	&ctl_config_dump,
	&ctl_bar_read,
	&ctl_bar_write,
	&ctl_bar_dump,
	&ctl_dma,
	&ctl_irq_watch,
	&ctl_irq_trigger,
	&ctl_reset,
	&ctl_remove,
	&ctl_trace,
	&ctl_top,
	&ctl_bind,
	&ctl_unbind,
	NULL,
};

/* Whether @word is the first of the two words of a command's name: "config". */
static bool is_first_word(const struct ctl_command *command, const char *word)
{
	size_t length = strlen(word);

	return strncmp(command->name, word, length) == 0 && command->name[length] == ' ';
}

static bool is_family(const char *word)
{
	for (size_t i = 0; commands[i]; i++)
		if (is_first_word(commands[i], word))
			return true;
	return false;
}

/* Set @taken to the number of @words that are the command's name. */
static const struct ctl_command *find_command(char **words, int *taken)
{
	for (size_t i = 0; commands[i]; i++) {
		const char *name = commands[i]->name;

		*taken = 1;
		if (strcmp(words[0], name) == 0)
			return commands[i];
		*taken = 2;
		if (is_first_word(commands[i], words[0]) && words[1] &&
			strcmp(words[1], strchr(name, ' ') + 1) == 0)
			return commands[i];
	}
	return NULL;
}

/* Name the commands that begin with the first word, or else all. */
static void report_unknown_command(char **words)
{
	bool family = is_family(words[0]);
	bool two = family && words[1];
	char list[512] = "";
	size_t used = 0;

	for (size_t i = 0; commands[i] && used < sizeof(list); i++)
		if (!family || is_first_word(commands[i], words[0]))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
				used ? ", " : "", commands[i]->name);
	cli_error("%s%s%s: no such command (there are: %s)", words[0], two ? " " : "",
		two ? words[1] : "", list);
}

/* The numbers follow from the usage line: "ADDR BAR [OFFSET [LENGTH]]" are 2 to 4. */
static bool check_count(const struct ctl_command *command, int count)
{
	int min = 0, max = 0;

	for (const char *word = command->arguments; *word; word += strspn(word, " ")) {
		min += *word != '[';
		max++;
		word += strcspn(word, " ");
	}
	if (count >= min && count <= max)
		return true;
	cli_error("%s: too %s arguments: expected dextctl %s%s%s", command->name,
		count < min ? "few" : "many", command->name, max ? " " : "", command->arguments);
	return false;
}

static enum ctl_exit run(char **words, int count, const struct ctl_options *options, unsigned given)
{
	const struct ctl_command *command;
	int taken;

	/* Also "dextctl config --help". */
	if (options->help && (!words[0] || (is_family(words[0]) && !words[1]))) {
		ctl_print_usage(commands, stdout);
		return CTL_OK;
	}
	if (!words[0]) {
		cli_error("no command (dextctl --help lists them)");
		return CTL_USAGE;
	}
	command = find_command(words, &taken);
	if (!command) {
		report_unknown_command(words);
		return CTL_USAGE;
	}
	if (options->help) {
		ctl_print_command_help(command, stdout);
		return CTL_OK;
	}
	if (!ctl_check_given(command, given) || !check_count(command, count - taken))
		return CTL_USAGE;
	return command->run(options, words + taken);
}

/* Output that could not be written, as on a full disk, is a failure. */
static int check_output(int exit_status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return exit_status;
	cli_error("standard output: %s", strerror(errno));
	return CTL_FAILED;
}

int main(int argc, char **argv)
{
	struct ctl_options options;
	unsigned given;
	int exit_status;

	cli_set_program("dextctl");
	exit_status = ctl_parse_options(argc, argv, &options, &given);
	if (exit_status != OPTIONS_CONTINUE)
		return check_output(exit_status);
	/* "help info" is "info --help". */
	if (optind < argc && strcmp(argv[optind], "help") == 0) {
		options.help = true;
		optind++;
	}
	if (options.socket && setenv("DEXT_SOCKET", options.socket, 1) < 0) {
		cli_error("--socket: %s", strerror(errno));
		return CTL_FAILED;
	}
	return check_output((int)run(argv + optind, argc - optind, &options, given));
}
