/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dext-vfio-user-options.h"
#include "common/number.h"
#include "tools/cli.h"
#include "tools/dext-vfio-user-driver.h"
#include "tools/sandbox.h"

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
	cli_error("%s%s%s", where, line, where[0] == '\0' ? " (see --help)" : "");
	return EXIT_USAGE;
}

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
		{ "mapped", VU_BARS_MAPPED },
		{ "calls", VU_BARS_CALLS },
		{ "shared", VU_BARS_SHARED },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(value, ways[i].name) == 0) {
			entry->device.bar_access = ways[i].access;
			return -1;
		}
	}
	return option_error(entry->where, "--bar-access: it must be 'mapped', 'calls' or 'shared'");
}

/* --- The options -------------------------------------------------------------------- */

/* What is being read, and where it goes. */
struct reading {
	struct options *options;
	struct entry *entry; /* the device, on the command line or on a line of a file */
	bool has_entry;	     /* something was said of it */
	char *config;
};

/* Those of one device, which may stand on a line of a file; and those of the program. */
#define OF_DEVICE  1u
#define OF_PROGRAM 2u

static int take_socket(void *context, const char *value)
{
	struct reading *reading = context;

	reading->has_entry = true;
	return replace(&reading->entry->socket, value);
}

static int take_address(void *context, const char *value)
{
	struct reading *reading = context;

	reading->has_entry = true;
	return replace(&reading->entry->address_text, value);
}

static int take_spec(void *context, const char *value)
{
	struct reading *reading = context;

	if (!driver_available())
		return option_error("", "--device: built without a driver; --addr BB:DD.F serves a "
					"device of a driver extension");
	reading->has_entry = true;
	return replace(&reading->entry->spec, value);
}

static int take_bar_access(void *context, const char *value)
{
	struct reading *reading = context;

	reading->has_entry = true;
	return set_bar_access(reading->entry, value);
}

static int take_poll_us(void *context, const char *value)
{
	struct reading *reading = context;
	uint64_t poll_us;
	const char *problem = number_parse(value, VU_POLL_US_MAX, &poll_us);

	reading->has_entry = true;
	if (problem)
		return option_error(reading->entry->where, "--poll-us %s: %s", value, problem);
	reading->entry->device.poll_us = (unsigned)poll_us;
	return OPTIONS_GO_ON;
}

static int take_verbose(void *context, const char *value)
{
	struct reading *reading = context;

	(void)value;
	reading->entry->device.verbose = true;
	return OPTIONS_GO_ON;
}

static int take_config(void *context, const char *value)
{
	struct reading *reading = context;

	return replace(&reading->config, value);
}

static int take_driver(void *context, const char *value)
{
	struct reading *reading = context;

	if (!driver_available())
		return option_error("", "--driver: IOKit finds driver extensions in its registry, "
					"not at a socket");
	return replace(&reading->options->driver, value);
}

static int take_sandbox(void *context, const char *value)
{
	struct reading *reading = context;

	(void)value;
	if (!sandbox_available())
		return option_error(
			"", "--sandbox: built without it, since libseccomp was missing");
	reading->options->sandbox = true;
	return OPTIONS_GO_ON;
}

static int take_no_sandbox(void *context, const char *value)
{
	struct reading *reading = context;

	(void)value;
	reading->options->sandbox = false;
	return OPTIONS_GO_ON;
}

static int print_version(void *context, const char *value)
{
	(void)context;
	(void)value;
	puts("dext-vfio-user " DEXTPCI_VERSION);
	return EXIT_SUCCESS;
}

static int print_help(void *context, const char *value);

static const struct option_row rows[] = {
	{ "socket", 's', "PATH", OF_DEVICE, "where the virtual machine monitor connects",
		take_socket },
	{ "addr", 0, "BB:DD.F", OF_DEVICE,
		"a device of a running driver service (dextd); when the\n"
		"service is started anew, the device is found again",
		take_address },
	{ "driver", 0, "PATH", OF_PROGRAM,
		"the driver service's socket, instead of $DEXT_SOCKET,\n"
		"$XDG_RUNTIME_DIR/dextpci/dextd.sock or\n"
		"/run/dextpci/dextd.sock",
		take_driver },
	{ "device", 'd', "SPEC", OF_DEVICE,
		"make and drive the device in this program; no driver\n"
		"service",
		take_spec },
	{ "bar-access", 0, "mapped|calls|shared", OF_DEVICE,
		"reach registers by loads and stores (the default), or by a\n"
		"call of the driver for each access; shared: as mapped, and\n"
		"the virtual machine maps them as well, so that most\n"
		"accesses need no message",
		take_bar_access },
	{ "config", 0, "FILE", OF_PROGRAM,
		"serve many devices: each line of FILE has the options of\n"
		"one, such as --socket /run/vm1.sock --addr 01:00.0; #\n"
		"begins a comment",
		take_config },
	{ "sandbox", 0, NULL, OF_PROGRAM,
		"give up all that is not needed once the devices are open;\n" SANDBOX_DEFAULT_TEXT,
		take_sandbox },
	{ "no-sandbox", 0, NULL, OF_PROGRAM, "give up nothing", take_no_sandbox },
	{ "poll-us", 0, "N", OF_DEVICE,
		"poll for the next message up to N microseconds (50; 0: not at all)",
		take_poll_us },
	{ "verbose", 'v', NULL, OF_DEVICE, "one line for each message", take_verbose },
	{ "help", 'h', NULL, OF_PROGRAM, "print this help", print_help },
	{ "version", 'V', NULL, OF_PROGRAM, "print the version", print_version },
};
static const struct option_table table = OPTION_TABLE(rows);

static int print_help(void *context, const char *value)
{
	(void)context;
	(void)value;
	fputs("Usage: dext-vfio-user --socket PATH --addr BB:DD.F [--driver PATH] [OPTION]...\n"
	      "   or: dext-vfio-user --socket PATH --device SPEC [OPTION]...\n"
	      "   or: dext-vfio-user --config FILE [--driver PATH] [OPTION]...\n"
	      "\n"
	      "Offer a PCI device to a virtual machine, over the vfio-user protocol. The virtual\n"
	      "machine monitor connects to the socket; one at a time, and when it has gone the\n"
	      "device is reset and offered to the next.\n"
	      "\n",
		stdout);
	options_print(&table, OF_DEVICE | OF_PROGRAM, stdout);
	if (driver_available()) {
		fputs("\nDevices for --device, as TYPE,key=value,...:\n", stdout);
		driver_print_types();
	}
	fputs("\n"
	      "Examples:\n"
	      "  dext-vfio-user --socket /tmp/nvme.sock --device nvme,addr=01:00.0,image=disk.img\n"
	      "  dext-vfio-user --socket /tmp/nvme.sock --addr 01:00.0\n"
	      "and then QEMU, whose guest memory has to be shareable:\n"
	      "  qemu-system-x86_64 -M q35,memory-backend=m0 -m 512 \\\n"
	      "    -object memory-backend-memfd,id=m0,size=512M,share=on \\\n"
	      "    -device '{\"driver\":\"vfio-user-pci\",\"socket\":"
	      "{\"path\":\"/tmp/nvme.sock\",\"type\":\"unix\"}}' ...\n"
	      "\n"
	      "It prints 'serving BB:DD.F at PATH' for each device when clients may connect. "
	      "SIGTERM\n"
	      "and SIGINT end it. Exit status: 0 after one of these, 1 for a failure, 2 for a "
	      "mistake\n"
	      "in the command line or in FILE.\n",
		stdout);
	return EXIT_SUCCESS;
}

/* --- What was said of a device --------------------------------------------------------- */

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
	char error[VU_ERROR_SIZE];
	const char *problem;

	if (entry->address_text) {
		problem = pci_address_parse(entry->address_text, &entry->address, NULL);
		if (problem)
			return option_error(
				entry->where, "--addr %s: %s", entry->address_text, problem);
		return -1;
	}
	return driver_check(entry->spec, error, sizeof(error)) ?
		       -1 :
		       option_error(entry->where, "%s", error);
}

static int check_entry(struct entry *entry)
{
	int status;

	if (!entry->socket)
		return option_error(entry->where, "--socket PATH is missing");
	if (!entry->spec && !entry->address_text)
		return option_error(entry->where, "--addr BB:DD.F or --device SPEC is missing");
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
	*entries = (struct entry){ .device = { .poll_us = VU_POLL_US } };
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
	struct reading reading = { .options = options, .entry = new_entry(options, where) };
	int status;

	if (!reading.entry)
		return EXIT_FAILURE;
	status = options_read(&table, OF_DEVICE, where, argc, argv, &reading, NULL);
	if (status == OPTIONS_GO_ON)
		status = options_no_arguments(where, argc, argv);
	return status == OPTIONS_GO_ON ? check_entry(reading.entry) : status;
}

/* --- The command line --------------------------------------------------------------- */

static int read_config(struct options *options, const struct reading *reading)
{
	bool verbose = reading->entry->device.verbose;
	int status;

	if (reading->has_entry)
		return option_error(
			"", "--config excludes the options of a device, which stand in its file");
	/* What was for the device on the command line goes for all in the file. */
	options->count = 0;
	status = options_read_file(options, reading->config);
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
	struct reading reading = { .options = options };
	int status;

	cli_set_program("dext-vfio-user");
	*options = (struct options){ .sandbox = sandbox_available() };
	reading.entry = new_entry(options, "");
	if (!reading.entry)
		return EXIT_FAILURE;
	status = options_read(&table, OF_DEVICE | OF_PROGRAM, "", argc, argv, &reading, NULL);
	if (status == OPTIONS_GO_ON)
		status = options_no_arguments("", argc, argv);
	if (status == OPTIONS_GO_ON)
		status = reading.config ? read_config(options, &reading) :
					  check_entry(reading.entry);
	free(reading.config);
	return status == OPTIONS_GO_ON ? check_driver(options) : status;
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
