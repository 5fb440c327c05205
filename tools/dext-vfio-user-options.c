/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dext-vfio-user-options.h"
#include "tools/sandbox.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than these are a mistake in a file. */
#define ENTRIES_MAX 1024u

int option_error(const char *where, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	fprintf(stderr, "dext-vfio-user: %s%s%s\n", where, line,
		where[0] == '\0' ? " (see --help)" : "");
	return EXIT_USAGE;
}

static const char help_text[] =
	"Usage: dext-vfio-user --socket PATH --addr BB:DD.F [--driver PATH] [OPTION]...\n"
	"   or: dext-vfio-user --socket PATH --device SPEC [OPTION]...\n"
	"   or: dext-vfio-user --config FILE [--driver PATH] [OPTION]...\n"
	"\n"
	"Offer a PCI device to a virtual machine, over the vfio-user protocol. The virtual\n"
	"machine monitor connects to the socket; one at a time, and when it has gone the\n"
	"device is reset and offered to the next.\n"
	"\n"
	"  --socket PATH    where the virtual machine monitor connects\n"
	"  --addr BB:DD.F   a device of a running driver service (dextd); when the service is\n"
	"                   started anew, the device is found again\n"
	"  --driver PATH    the driver service's socket, instead of $DEXT_SOCKET,\n"
	"                   $XDG_RUNTIME_DIR/dextpci/dextd.sock or /run/dextpci/dextd.sock\n"
	"  --device SPEC    make and drive the device in this program; no driver service\n"
	"  --bar-access mapped|calls|shared\n"
	"                   reach registers by loads and stores (the default), or by a call\n"
	"                   of the driver for each access; shared: as mapped, and the virtual\n"
	"                   machine maps them as well, so that most accesses need no message\n"
	"  --config FILE    serve many devices: each line of FILE has the options of one, such\n"
	"                   as --socket /run/vm1.sock --addr 01:00.0; # begins a comment\n"
	"  --sandbox, --no-sandbox\n"
	"                   give up all that is not needed once the devices are open, or not;\n"
	"                   " SANDBOX_DEFAULT_TEXT "\n"
	"  --verbose        one line for each message\n"
	"  --help, --version\n"
	"\n"
	"Devices for --device, as TYPE,key=value,...:\n";

static const char examples_text[] =
	"\n"
	"Examples:\n"
	"  dext-vfio-user --socket /tmp/nvme.sock --device nvme,addr=01:00.0,image=disk.img\n"
	"  dext-vfio-user --socket /tmp/nvme.sock --addr 01:00.0\n"
	"and then QEMU, whose guest memory has to be shareable:\n"
	"  qemu-system-x86_64 -M q35,memory-backend=m0 -m 512 \\\n"
	"    -object memory-backend-memfd,id=m0,size=512M,share=on \\\n"
	"    -device '{\"driver\":\"vfio-user-pci\",\"socket\":"
	"{\"path\":\"/tmp/nvme.sock\",\"type\":\"unix\"}}' ...\n"
	"\n"
	"It prints 'serving BB:DD.F at PATH' for each device when clients may connect. SIGTERM\n"
	"and SIGINT end it. Exit status: 0 after one of these, 1 for a failure, 2 for a mistake\n"
	"in the command line or in FILE.\n";

static int help(void)
{
	fputs(help_text, stdout);
	provider_print_types();
	fputs(examples_text, stdout);
	return EXIT_SUCCESS;
}

/* --- One device ------------------------------------------------------------------- */

/* What getopt_long() finds: options of a device, and those of the program below 'A'. */
enum { OF_SOCKET = 'a', OF_SPEC, OF_ADDRESS, OF_BAR_ACCESS, OF_VERBOSE, ENDS_HELP = 'A',
	ENDS_VERSION, HAS_CONFIG, HAS_DRIVER, HAS_SANDBOX, HAS_NO_SANDBOX };

#define DEVICE_OPTIONS                                         \
	{"socket", required_argument, NULL, OF_SOCKET},        \
	{"device", required_argument, NULL, OF_SPEC},          \
	{"addr", required_argument, NULL, OF_ADDRESS},         \
	{"bar-access", required_argument, NULL, OF_BAR_ACCESS},\
	{"verbose", no_argument, NULL, OF_VERBOSE}

static const struct option device_options[] = {
	DEVICE_OPTIONS,
	{NULL, 0, NULL, 0},
};

static const struct option all_options[] = {
	DEVICE_OPTIONS,
	{"config", required_argument, NULL, HAS_CONFIG},
	{"driver", required_argument, NULL, HAS_DRIVER},
	{"sandbox", no_argument, NULL, HAS_SANDBOX},
	{"no-sandbox", no_argument, NULL, HAS_NO_SANDBOX},
	{"help", no_argument, NULL, ENDS_HELP},
	{"version", no_argument, NULL, ENDS_VERSION},
	{NULL, 0, NULL, 0},
};

static int replace(char **place, const char *text)
{
	char *copy = strdup(text);

	if (!copy) {
		fputs("dext-vfio-user: out of memory\n", stderr);
		return EXIT_FAILURE;
	}
	free(*place);
	*place = copy;
	return -1;
}

static int set_bar_access(struct entry *entry, const char *value)
{
	static const struct {
		const char *name;
		enum vu_bar_access access;
	} ways[] = {
		{"mapped", VU_BARS_MAPPED},
		{"calls", VU_BARS_CALLS},
		{"shared", VU_BARS_SHARED},
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(value, ways[i].name) == 0) {
			entry->device.bar_access = ways[i].access;
			return -1;
		}
	}
	return option_error(
		entry->where, "--bar-access: it must be 'mapped', 'calls' or 'shared'");
}

/* Return: -1 to go on, or the exit status. */
static int take_device_option(struct entry *entry, int option, const char *text)
{
	switch (option) {
	case OF_SOCKET:
		return replace(&entry->socket, optarg);
	case OF_SPEC:
		return replace(&entry->spec, optarg);
	case OF_ADDRESS:
		return replace(&entry->address_text, optarg);
	case OF_BAR_ACCESS:
		return set_bar_access(entry, optarg);
	case OF_VERBOSE:
		entry->device.verbose = true;
		return -1;
	case ':':
		return option_error(entry->where, "%s: it wants a value", text);
	default:
		return option_error(entry->where, "%s: there is no such option%s", text,
			entry->where[0] != '\0' ? " of a device" : "");
	}
}

static int check_socket(const struct entry *entry)
{
	size_t length = strlen(entry->socket), limit = vu_server_path_limit();

	if (length >= 1 && length <= limit)
		return -1;
	return option_error(entry->where, "--socket: the path has %zu bytes, it must have 1 to %zu",
		length, limit);
}

/* Its device, as text of the right form; whether there is one turns out later. */
static int check_device(struct entry *entry)
{
	struct spec_error error;
	struct device_spec spec;
	const char *problem;

	if (entry->address_text) {
		problem = pci_address_parse(entry->address_text, &entry->address, NULL);
		if (problem)
			return option_error(
				entry->where, "--addr %s: %s", entry->address_text, problem);
		return -1;
	}
	if (!spec_parse(entry->spec, &spec, &error))
		return option_error(entry->where, "%s", error.text);
	spec_free(&spec);
	return -1;
}

static int check_entry(struct entry *entry)
{
	int status;

	if (!entry->socket)
		return option_error(entry->where, "--socket PATH is missing");
	if (!entry->spec && !entry->address_text)
		return option_error(
			entry->where, "--addr BB:DD.F or --device SPEC is missing");
	if (entry->spec && entry->address_text)
		return option_error(entry->where, "--addr and --device exclude each other");
	status = check_socket(entry);
	return status < 0 ? check_device(entry) : status;
}

static struct entry *new_entry(struct options *options, const char *where)
{
	struct entry *entries;

	if (options->count >= ENTRIES_MAX) {
		option_error(where, "too many devices (at most %u)", ENTRIES_MAX);
		return NULL;
	}
	entries = realloc(options->entries, (options->count + 1) * sizeof(*entries));
	if (!entries) {
		fputs("dext-vfio-user: out of memory\n", stderr);
		return NULL;
	}
	options->entries = entries;
	entries += options->count++;
	*entries = (struct entry){.socket = NULL};
	snprintf(entries->where, sizeof(entries->where), "%s", where);
	return entries;
}

/* A program that drives devices of its own finds these alone. */
static int check_kinds(const struct options *options)
{
	for (size_t i = 1; i < options->count; i++)
		if (!options->entries[i].spec != !options->entries[0].spec)
			return option_error(options->entries[i].where,
				"--addr and --device in one file: they want a program each");
	return -1;
}

int options_add(struct options *options, const char *where, int argc, char **argv)
{
	struct entry *entry = new_entry(options, where);
	int option, status = -1;

	if (!entry)
		return EXIT_FAILURE;
	optind = 1;
	while (status < 0 && (option = getopt_long(argc, argv, ":", device_options, NULL)) != -1)
		status = take_device_option(entry, option, argv[optind - 1]);
	if (status < 0 && optind < argc)
		status = option_error(where, "%s: it belongs to no option", argv[optind]);
	return status < 0 ? check_entry(entry) : status;
}

/* --- The command line --------------------------------------------------------------- */

struct command_line {
	struct entry *entry;	/* the device on it */
	bool has_entry;
	char *config;
};

static int ask_for_sandbox(struct options *options)
{
	if (!sandbox_available())
		return option_error(
			"", "--sandbox: built without it, since libseccomp was missing");
	options->sandbox = true;
	return -1;
}

static int take_option(
	struct options *options, struct command_line *line, int option, const char *text)
{
	switch (option) {
	case HAS_CONFIG:
		return replace(&line->config, optarg);
	case HAS_DRIVER:
		return replace(&options->driver, optarg);
	case HAS_SANDBOX:
		return ask_for_sandbox(options);
	case HAS_NO_SANDBOX:
		options->sandbox = false;
		return -1;
	case ENDS_HELP:
		return help();
	case ENDS_VERSION:
		puts("dext-vfio-user " DEXTPCI_VERSION);
		return EXIT_SUCCESS;
	default:
		line->has_entry = line->has_entry || option != OF_VERBOSE;
		return take_device_option(line->entry, option, text);
	}
}

static int read_config(struct options *options, const struct command_line *line)
{
	bool verbose = line->entry->device.verbose;
	int status;

	if (line->has_entry)
		return option_error(
			"", "--config excludes the options of a device, which stand in its file");
	/* What was for the device on the command line goes for all in the file. */
	options->count = 0;
	status = options_read_file(options, line->config);
	for (size_t i = 0; i < options->count; i++)
		options->entries[i].device.verbose |= verbose;
	return status < 0 ? check_kinds(options) : status;
}

static int check_driver(const struct options *options)
{
	if (options->driver && options->count > 0 && options->entries[0].spec)
		return option_error("", "--driver PATH goes with --addr BB:DD.F");
	return -1;
}

int options_parse(struct options *options, int argc, char **argv)
{
	struct command_line line = {.config = NULL};
	int option, status = -1;

	*options = (struct options){.sandbox = sandbox_available()};
	line.entry = new_entry(options, "");
	if (!line.entry)
		return EXIT_FAILURE;
	opterr = 0;
	while (status < 0 && (option = getopt_long(argc, argv, ":", all_options, NULL)) != -1)
		status = take_option(options, &line, option, argv[optind - 1]);
	if (status < 0 && optind < argc)
		status = option_error("", "%s: it belongs to no option", argv[optind]);
	if (status < 0)
		status = line.config ? read_config(options, &line) : check_entry(line.entry);
	free(line.config);
	return status < 0 ? check_driver(options) : status;
}

void options_free(struct options *options)
{
	for (size_t i = 0; i < options->count; i++) {
		free(options->entries[i].socket);
		free(options->entries[i].spec);
		free(options->entries[i].address_text);
	}
	free(options->entries);
	free(options->driver);
}
