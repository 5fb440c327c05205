/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dext-vfio-user: a device of the driver extension for a virtual machine. The
 * device is a driver service's (--addr), or one that this program makes and
 * drives itself (--device).
 */
#include "driver/driver.h"
#include "provider/spec.h"
#include "vfio-user/server.h"

#include <getopt.h>
#include <iokit-user/service.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { EXIT_USAGE = 2 };

struct arguments {
	const char *socket, *spec, *address, *driver;
	struct vu_device_options device;
};

static volatile sig_atomic_t stopping;
static struct vu_server *volatile running;

static void complain(const char *what)
{
	fprintf(stderr, "dext-vfio-user: %s\n", what);
}

static int usage_error(const char *what)
{
	fprintf(stderr, "dext-vfio-user: %s (see --help)\n", what);
	return EXIT_USAGE;
}

static int option_error(const char *what, const char *option)
{
	fprintf(stderr, "dext-vfio-user: %s: %s (see --help)\n", option, what);
	return EXIT_USAGE;
}

static const char help_text[] =
	"Usage: dext-vfio-user --socket PATH --addr BB:DD.F [--driver PATH] [OPTION]...\n"
	"   or: dext-vfio-user --socket PATH --device SPEC [OPTION]...\n"
	"\n"
	"Offer a PCI device to a virtual machine, over the vfio-user protocol. The virtual\n"
	"machine monitor connects to the socket; one at a time, and when it has gone the\n"
	"device is reset and offered to the next.\n"
	"\n"
	"  --socket PATH    where the virtual machine monitor connects\n"
	"  --addr BB:DD.F   a device of a running driver service (dextd)\n"
	"  --driver PATH    the driver service's socket, instead of $DEXT_SOCKET,\n"
	"                   $XDG_RUNTIME_DIR/dextpci/dextd.sock or /run/dextpci/dextd.sock\n"
	"  --device SPEC    make and drive the device in this program; no driver service\n"
	"  --bar-access mapped|calls\n"
	"                   reach registers by loads and stores (the default), or by a call\n"
	"                   of the driver for each access\n"
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
	"It prints 'serving BB:DD.F at PATH' when a client may connect. SIGTERM and SIGINT end\n"
	"it. Exit status: 0 after one of these, 1 for a failure, 2 for a mistake in the command\n"
	"line.\n";

static int help(void)
{
	fputs(help_text, stdout);
	provider_print_types();
	fputs(examples_text, stdout);
	return EXIT_SUCCESS;
}

/* --- The command line ----------------------------------------------------------- */

static int set_bar_access(struct arguments *arguments, const char *value)
{
	if (strcmp(value, "mapped") == 0)
		arguments->device.bar_access = VU_BARS_MAPPED;
	else if (strcmp(value, "calls") == 0)
		arguments->device.bar_access = VU_BARS_CALLS;
	else
		return usage_error("--bar-access: it must be 'mapped' or 'calls'");
	return -1;
}

/* Return: -1 to go on, or the exit status. */
static int take_option(struct arguments *arguments, int option, const char *text)
{
	switch (option) {
	case 's':
		arguments->socket = optarg;
		return -1;
	case 'd':
		arguments->spec = optarg;
		return -1;
	case 'a':
		arguments->address = optarg;
		return -1;
	case 'D':
		arguments->driver = optarg;
		return -1;
	case 'b':
		return set_bar_access(arguments, optarg);
	case 'v':
		arguments->device.verbose = true;
		return -1;
	case 'h':
		return help();
	case 'V':
		puts("dext-vfio-user " DEXTPCI_VERSION);
		return EXIT_SUCCESS;
	case ':':
		return option_error("it wants a value", text);
	default:
		return option_error("there is no such option", text);
	}
}

static int check_socket(const char *path)
{
	char line[VU_ERROR_SIZE];
	size_t length = strlen(path), limit = vu_server_path_limit();

	if (length >= 1 && length <= limit)
		return -1;
	snprintf(line, sizeof(line), "--socket: the path has %zu bytes, it must have 1 to %zu",
		length, limit);
	complain(line);
	return EXIT_USAGE;
}

static int check_arguments(const struct arguments *arguments)
{
	if (!arguments->socket)
		return usage_error("--socket PATH is missing");
	if (!arguments->spec && !arguments->address)
		return usage_error("--addr BB:DD.F or --device SPEC is missing");
	if (arguments->spec && arguments->address)
		return usage_error("--addr and --device exclude each other");
	if (arguments->driver && !arguments->address)
		return usage_error("--driver PATH goes with --addr BB:DD.F");
	return check_socket(arguments->socket);
}

static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"device", required_argument, NULL, 'd'},
		{"addr", required_argument, NULL, 'a'},
		{"driver", required_argument, NULL, 'D'},
		{"bar-access", required_argument, NULL, 'b'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option, status = -1;

	opterr = 0;
	while (status < 0 && (option = getopt_long(argc, argv, ":", options, NULL)) != -1)
		status = take_option(arguments, option, argv[optind - 1]);
	if (status < 0 && optind < argc)
		status = option_error("it belongs to no option", argv[optind]);
	return status < 0 ? check_arguments(arguments) : status;
}

/* --- Serving ---------------------------------------------------------------------- */

static void on_signal(int signal)
{
	(void)signal;
	stopping = 1;
	if (running)
		vu_server_stop(running);
}

static void catch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_signal};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* Every range of guest memory keeps a descriptor open, and every interrupt vector. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve_device(struct vu_device *device, const char *path)
{
	char error[VU_ERROR_SIZE];
	struct vu_server *server = vu_server_create(device, path, error);
	bool well;

	if (!server) {
		complain(error);
		return EXIT_FAILURE;
	}
	running = server;
	/* A signal that came before there was a server to stop. */
	if (stopping)
		vu_server_stop(server);
	printf("serving %s at %s\n", vu_device_name(device), path);
	fflush(stdout);
	well = vu_server_run(server);
	running = NULL;
	vu_server_destroy(server);
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int serve(const struct arguments *arguments, struct pci_address address)
{
	struct vu_device_options options = arguments->device;
	char error[VU_ERROR_SIZE];
	struct vu_device *device;
	int status;

	options.bus = address.bus;
	options.device = address.device;
	options.function = address.function;
	device = vu_device_open(&options, error);
	if (!device) {
		complain(error);
		return EXIT_FAILURE;
	}
	status = serve_device(device, arguments->socket);
	vu_device_close(device);
	return status;
}

/* A device of a driver service. */
static int serve_address(struct arguments *arguments)
{
	struct spec_error error;
	struct pci_address address;
	char why[VU_ERROR_SIZE];

	if (!spec_parse_address(arguments->address, &address, &error)) {
		complain(error.text);
		return EXIT_USAGE;
	}
	if (arguments->driver && setenv("DEXT_SOCKET", arguments->driver, 1) != 0) {
		complain("out of memory");
		return EXIT_FAILURE;
	}
	if (!iouser_service_probe(why, sizeof(why))) {
		complain(why);
		return EXIT_FAILURE;
	}
	arguments->device.reconnect = true;
	return serve(arguments, address);
}

static bool is_well_formed(const char *text, struct spec_error *error)
{
	struct device_spec spec;

	if (!spec_parse(text, &spec, error))
		return false;
	spec_free(&spec);
	return true;
}

/* A device of this program's own. */
static int serve_spec(const struct arguments *arguments)
{
	struct spec_error error;
	struct pci_provider *provider;
	struct pci_address address;
	struct dext_driver *driver;
	int status;

	if (!is_well_formed(arguments->spec, &error)) {
		complain(error.text);
		return EXIT_USAGE;
	}
	provider = provider_create(arguments->spec, &error);
	if (!provider) {
		complain(error.text);
		return EXIT_FAILURE;
	}
	address = provider->address;
	driver = dext_driver_create(provider);
	if (!driver) {
		complain("the device does not answer, or memory is out");
		return EXIT_FAILURE;
	}
	status = serve(arguments, address);
	dext_driver_destroy(driver);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	int status = parse_arguments(&arguments, argc, argv);

	if (status >= 0)
		return status;
	catch_signals();
	raise_descriptor_limit();
	return arguments.spec ? serve_spec(&arguments) : serve_address(&arguments);
}
