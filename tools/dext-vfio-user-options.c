/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dext-vfio-user-options.h"
#include "common/number.h"
#include "tools/cli.h"
#include "tools/dext-vfio-user-driver.h"
#include "tools/sandbox.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 1024u
#define WORDS_MAX   32 /* of a line */

/* Print an error in the command line, or in the line of a file that @where names. */
static int usage_error(const char *where, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int usage_error(const char *where, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	cli_error("%s%s%s", where, line, where[0] == '\0' ? " (see --help)" : "");
	return EXIT_USAGE;
}

/* --- Options ------------------------------------------------------------------------ */

/* The command line, or one line of a file, while it is parsed. */
struct line {
	struct entry entry; /* the device */
	const char *config, *driver;
	bool sandbox;
};

/* Options of a device; of all devices of a file; of the program. */
#define OF_DEVICE	 1u
#define OF_DEVICES	 2u
#define OF_PROGRAM	 4u
#define ENTRY_AT(member) offsetof(struct line, entry.member)

/* Store a copy: the words of a file are freed. */
static int take_text(void *place, const char *value)
{
	char **text = place;

	free(*text);
	*text = cli_format("%s", value);
	return OPTIONS_CONTINUE;
}

static int take_spec(void *place, const char *value)
{
	if (!driver_available())
		return usage_error("", "--device: built without a driver; --addr BB:DD.F serves a "
				       "device of a driver extension");
	return take_text(place, value);
}

static int take_driver(void *place, const char *value)
{
	if (!driver_available())
		return usage_error("", "--driver: IOKit finds driver extensions in its registry, "
				       "not at a socket");
	return option_text(place, value);
}

static int take_bar_access(void *place, const char *value)
{
	static const struct {
		const char *name;
		enum vu_bar_access access;
	} ways[] = {
		{ "auto", VU_BARS_AUTO },
		{ "mapped", VU_BARS_MAPPED },
		{ "calls", VU_BARS_CALLS },
		{ "shared", VU_BARS_SHARED },
	};
	struct line *line = place;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(value, ways[i].name) == 0) {
			line->entry.device.bar_access = ways[i].access;
			return OPTIONS_CONTINUE;
		}
	}
	return usage_error(line->entry.where,
		"--bar-access: it must be 'auto', 'mapped', 'calls' or 'shared'");
}

static int take_poll_us(void *place, const char *value)
{
	struct line *line = place;
	uint64_t poll_us;
	const char *problem = number_parse(value, VU_POLL_US_MAX, &poll_us);

	if (problem)
		return usage_error(line->entry.where, "--poll-us %s: %s", value, problem);
	line->entry.device.poll_us = (unsigned)poll_us;
	return OPTIONS_CONTINUE;
}

static int take_sandbox(void *place, const char *value)
{
	if (!sandbox_available())
		return usage_error("", "--sandbox: built without it, since libseccomp was missing");
	return option_set(place, value);
}

static int print_help(void *place, const char *value);

static const struct option_row rows[] = {
	{ "socket", 's', "PATH", OF_DEVICE, "the socket for the virtual machine monitor", take_text,
		ENTRY_AT(socket) },
	{ "addr", 0, "BB:DD.F", OF_DEVICE,
		"a device of a running driver service (dextd); after\n"
		"a restart of the service the device is opened again",
		take_text, ENTRY_AT(address_text) },
	{ "driver", 0, "PATH", OF_PROGRAM,
		"the socket of the driver service, instead of\n"
		"$DEXT_SOCKET, $XDG_RUNTIME_DIR/dextpci/dextd.sock\n"
		"or /run/dextpci/dextd.sock",
		take_driver, offsetof(struct line, driver) },
	{ "device", 'd', "SPEC", OF_DEVICE,
		"create the device and its driver in this program,\n"
		"without a driver service",
		take_spec, ENTRY_AT(spec) },
	{ "bar-access", 0, "auto|mapped|calls|shared", OF_DEVICE,
		"access registers by loads and stores, or by a call\n"
		"of the driver for each access; shared: as mapped,\n"
		"and the virtual machine maps them too, so that most\n"
		"accesses need no message; auto, the default: calls\n"
		"for software devices, mapped for others",
		take_bar_access, 0 },
	{ "config", 0, "FILE", OF_PROGRAM,
		"serve many devices: each line of FILE has the\n"
		"options of one, such as --socket /run/vm1.sock\n"
		"--addr 01:00.0; # begins a comment",
		option_text, offsetof(struct line, config) },
	{ "sandbox", 0, NULL, OF_PROGRAM,
		"forbid system calls that are not needed once the\n"
		"devices are open; " SANDBOX_DEFAULT_TEXT,
		take_sandbox, offsetof(struct line, sandbox) },
	{ "no-sandbox", 0, NULL, OF_PROGRAM, "do not", option_clear,
		offsetof(struct line, sandbox) },
	{ "poll-us", 0, "N", OF_DEVICE,
		"poll for the next message for up to N microseconds\n"
		"(100; 0: do not poll)",
		take_poll_us, 0 },
	{ "verbose", 'v', NULL, OF_DEVICES, "print one line for each message", option_set,
		ENTRY_AT(device.verbose) },
	{ "help", 'h', NULL, OF_PROGRAM, "print this help", print_help, 0 },
	{ "version", 'V', NULL, OF_PROGRAM, "print the version", option_version, 0 },
};
static const struct option_table table = OPTION_TABLE(rows);

static int print_help(void *place, const char *value)
{
	(void)place;
	(void)value;
	fputs("Usage: dext-vfio-user --socket PATH --addr BB:DD.F [--driver PATH] [OPTION]...\n"
	      "   or: dext-vfio-user --socket PATH --device SPEC [OPTION]...\n"
	      "   or: dext-vfio-user --config FILE [--driver PATH] [OPTION]...\n"
	      "\n"
	      "Offer a PCI device to a virtual machine, over the vfio-user protocol. A virtual\n"
	      "machine monitor connects to the socket. One at a time is served; after it has\n"
	      "disconnected, the device is reset and offered to the next.\n"
	      "\n",
		stdout);
	options_print(&table, OF_DEVICE | OF_DEVICES | OF_PROGRAM, stdout);
	if (driver_available()) {
		fputs("\nDevices for --device, as TYPE,key=value,...:\n", stdout);
		driver_print_types();
	}
	fputs("\n"
	      "Examples:\n"
	      "  dext-vfio-user --socket /tmp/nvme.sock --device nvme,addr=01:00.0,image=disk.img\n"
	      "  dext-vfio-user --socket /tmp/nvme.sock --addr 01:00.0\n"
	      "and QEMU, with shareable guest memory:\n"
	      "  qemu-system-x86_64 -M q35,memory-backend=m0 -m 512 \\\n"
	      "    -object memory-backend-memfd,id=m0,size=512M,share=on \\\n"
	      "    -device '{\"driver\":\"vfio-user-pci\",\"socket\":"
	      "{\"path\":\"/tmp/nvme.sock\",\"type\":\"unix\"}}' ...\n"
	      "\n"
	      "It prints 'serving BB:DD.F at PATH' for each device when clients may connect. "
	      "SIGTERM\n"
	      "and SIGINT end it. Exit status: 0 after such a signal, 1 for a failure, 2 for an\n"
	      "error in the command line or in FILE.\n",
		stdout);
	return EXIT_SUCCESS;
}

/* --- Devices ------------------------------------------------------------------------ */

/* Only the syntax of the device is checked; it is opened later. */
static int check_entry(struct entry *entry)
{
	char error[VU_ERROR_SIZE];
	const char *problem;
	size_t length, limit = vu_server_path_limit();

	if (!entry->socket)
		return usage_error(entry->where, "--socket PATH is missing");
	if (!entry->spec && !entry->address_text)
		return usage_error(entry->where, "--addr BB:DD.F or --device SPEC is missing");
	if (entry->spec && entry->address_text)
		return usage_error(entry->where, "--addr and --device exclude each other");
	length = strlen(entry->socket);
	if (length < 1 || length > limit)
		return usage_error(entry->where,
			"--socket: the path has %zu bytes, it must have 1 to %zu", length, limit);
	if (entry->spec)
		return driver_check(entry->spec, error, sizeof(error)) ?
			       OPTIONS_CONTINUE :
			       usage_error(entry->where, "%s", error);
	problem = pci_address_parse(entry->address_text, &entry->address, NULL);
	return problem ? usage_error(entry->where, "--addr %s: %s", entry->address_text, problem) :
			 OPTIONS_CONTINUE;
}

/* Append the device, which then belongs to @options, and check it. */
static int add_entry(struct options *options, const struct entry *entry)
{
	options->entries =
		realloc(options->entries, (options->count + 1) * sizeof(*options->entries));
	if (!options->entries) {
		cli_error("out of memory");
		exit(EXIT_FAILURE);
	}
	options->entries[options->count] = *entry;
	return check_entry(&options->entries[options->count++]);
}

static void free_entry(struct entry *entry)
{
	free(entry->socket);
	free(entry->spec);
	free(entry->address_text);
}

static struct line new_line(void)
{
	return (struct line){ .entry.device = { .poll_us = VU_POLL_US, .bar_access = VU_BARS_AUTO },
		.sandbox = sandbox_available() };
}

/* --- The file of --config --------------------------------------------------------------- */

static bool is_blank(char character)
{
	return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

/* Split off one word and remove its quotes. Return: the rest; NULL if a quote is not closed. */
static char *split_word(char *at, char **word)
{
	char *out = at, quote = '\0';

	*word = at;
	for (; *at != '\0' && (quote != '\0' || !is_blank(*at)); at++) {
		if (quote == '\0' && (*at == '\'' || *at == '"'))
			quote = *at;
		else if (*at == quote)
			quote = '\0';
		else
			*out++ = *at;
	}
	if (quote != '\0')
		return NULL;
	if (*at != '\0')
		at++;
	*out = '\0';
	return at;
}

/* Parse one line of the file; an empty one adds no device. */
static int parse_line(struct options *options, const char *where, char *text, size_t length)
{
	char program[] = "dext-vfio-user";
	char *words[WORDS_MAX + 2] = { program };
	struct line line = new_line();
	int count = 1, status;

	if (strlen(text) != length)
		return usage_error(where, "there is a NUL in it: it is no text");
	for (;;) {
		while (is_blank(*text))
			text++;
		if (*text == '\0' || *text == '#')
			break;
		if (count > WORDS_MAX)
			return usage_error(where, "more than %d words", WORDS_MAX);
		text = split_word(text, &words[count++]);
		if (!text)
			return usage_error(where, "a quote is not closed");
	}
	if (count == 1)
		return OPTIONS_CONTINUE;
	if (options->count >= ENTRIES_MAX)
		return usage_error(where, "too many devices (at most %u)", ENTRIES_MAX);
	snprintf(line.entry.where, sizeof(line.entry.where), "%s", where);
	status = options_read(&table, OF_DEVICE | OF_DEVICES, where, count, words, &line, NULL);
	if (status == OPTIONS_CONTINUE)
		status = options_no_arguments(where, count, words);
	if (status == OPTIONS_CONTINUE)
		return add_entry(options, &line.entry);
	free_entry(&line.entry);
	return status;
}

static int read_file(struct options *options, const char *path)
{
	char where[sizeof(options->entries->where)], *text = NULL;
	FILE *file = fopen(path, "re");
	int status = OPTIONS_CONTINUE;
	size_t room = 0;
	ssize_t length;

	if (!file) {
		cli_error("%s: %s", path, strerror(errno));
		return EXIT_FAILURE;
	}
	for (unsigned number = 1;
		status == OPTIONS_CONTINUE && (length = getline(&text, &room, file)) >= 0;
		number++) {
		snprintf(where, sizeof(where), "%.256s:%u: ", path, number);
		status = parse_line(options, where, text, (size_t)length);
	}
	if (status == OPTIONS_CONTINUE && ferror(file)) {
		cli_error("%s: %s", path, strerror(errno));
		status = EXIT_FAILURE;
	}
	free(text);
	fclose(file);
	if (status == OPTIONS_CONTINUE && options->count == 0) {
		cli_error("%s: there is no device in it", path);
		status = EXIT_USAGE;
	}
	return status;
}

/* --- The command line --------------------------------------------------------------- */

static int read_config(struct options *options, const struct line *line, unsigned given)
{
	int status;

	if (given & OF_DEVICE)
		return usage_error(
			"", "--config excludes the options of a device, which stand in its file");
	status = read_file(options, line->config);
	for (size_t i = 0; i < options->count; i++) {
		struct entry *entry = &options->entries[i];

		entry->device.verbose |= line->entry.device.verbose;
		/* A program that has drivers itself does not find those of a service. */
		if (status == OPTIONS_CONTINUE && !entry->spec != !options->entries[0].spec)
			status = usage_error(entry->where,
				"--addr and --device in one file: each needs its own program");
	}
	return status;
}

int options_parse(struct options *options, int argc, char **argv)
{
	struct line line = new_line();
	unsigned given;
	int status;

	cli_set_program("dext-vfio-user");
	*options = (struct options){ .count = 0 };
	status = options_read(
		&table, OF_DEVICE | OF_DEVICES | OF_PROGRAM, "", argc, argv, &line, &given);
	options->driver = line.driver;
	options->sandbox = line.sandbox;
	if (status == OPTIONS_CONTINUE)
		status = options_no_arguments("", argc, argv);
	if (status == OPTIONS_CONTINUE && !line.config)
		status = add_entry(options, &line.entry);
	else
		free_entry(&line.entry);
	if (status == OPTIONS_CONTINUE && line.config)
		status = read_config(options, &line, given);
	if (status == OPTIONS_CONTINUE && options->driver && options->entries[0].spec)
		status = usage_error("", "--driver PATH goes with --addr BB:DD.F");
	return status;
}

void options_free(struct options *options)
{
	for (size_t i = 0; i < options->count; i++)
		free_entry(&options->entries[i]);
	free(options->entries);
}
