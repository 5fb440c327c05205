/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl: inspect, access, watch and reset the devices of a driver service. */
#include "tools/dextctl/dextctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One row a command, in the order of the help. */
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

/* How many of @words the name of @command takes up; 0 when they are another's. */
static int match(const struct ctl_command *command, char **words)
{
	const char *second = strchr(command->name, ' ');

	if (!second)
		return strcmp(words[0], command->name) == 0;
	if (strlen(words[0]) != (size_t)(second - command->name) ||
		strncmp(words[0], command->name, strlen(words[0])) != 0)
		return 0;
	return words[1] && strcmp(words[1], second + 1) == 0 ? 2 : 0;
}

static const struct ctl_command *find_command(char **words, int *taken)
{
	for (size_t i = 0; commands[i]; i++) {
		*taken = match(commands[i], words);
		if (*taken)
			return commands[i];
	}
	return NULL;
}

/* Whether @word is the first of two in the name of @command: "config". */
static bool in_family(const struct ctl_command *command, const char *word)
{
	size_t length = strlen(word);

	return strncmp(command->name, word, length) == 0 && command->name[length] == ' ';
}

static bool is_family(const char *word)
{
	for (size_t i = 0; commands[i]; i++)
		if (in_family(commands[i], word))
			return true;
	return false;
}

/* Name the commands that begin as @words do, or all of them. */
static void say_no_such_command(char **words)
{
	bool family = is_family(words[0]);
	bool two = family && words[1];
	char list[512] = "";
	size_t used = 0;

	for (size_t i = 0; commands[i] && used < sizeof(list); i++)
		if (!family || in_family(commands[i], words[0]))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
				used ? ", " : "", commands[i]->name);
	cli_error("%s%s%s: no such command (there are: %s)", words[0], two ? " " : "",
		two ? words[1] : "", list);
}

static bool check_count(const struct ctl_command *command, int count)
{
	if (count >= command->min_arguments && count <= command->max_arguments)
		return true;
	cli_error("%s: too %s arguments: expected dextctl %s%s%s", command->name,
		count < command->min_arguments ? "few" : "many", command->name,
		*command->arguments ? " " : "", command->arguments);
	return false;
}

/* What a command line without a command is for: help, or help on all of them. */
static bool wants_list(char **words, const struct ctl_options *options)
{
	return options->help && (!words[0] || (is_family(words[0]) && !words[1]));
}

static enum ctl_exit run(char **words, int count, const struct ctl_options *options, unsigned given)
{
	const struct ctl_command *command;
	int taken;

	if (wants_list(words, options)) {
		ctl_print_usage(commands, stdout);
		return CTL_OK;
	}
	if (!words[0]) {
		cli_error("no command (dextctl --help lists them)");
		return CTL_USAGE;
	}
	command = find_command(words, &taken);
	if (!command) {
		say_no_such_command(words);
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

/* Output that went nowhere, on a full disk, say, is a failure too. */
static int finish(enum ctl_exit status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return (int)status;
	cli_error("standard output: %s", strerror(errno));
	return CTL_FAILED;
}

int main(int argc, char **argv)
{
	struct ctl_options options;
	unsigned given;
	int first;

	cli_set_program("dextctl");
	first = ctl_parse_options(argc, argv, &options, &given);
	if (first < 0)
		return CTL_USAGE;
	if (options.version) {
		puts("dextctl " DEXTPCI_VERSION);
		return finish(CTL_OK);
	}
	/* "help info" is "info --help". */
	if (first < argc && strcmp(argv[first], "help") == 0) {
		options.help = true;
		first++;
	}
	if (options.socket && setenv("DEXT_SOCKET", options.socket, 1) < 0) {
		cli_error("--socket: %s", strerror(errno));
		return CTL_FAILED;
	}
	return finish(run(argv + first, argc - first, &options, given));
}
