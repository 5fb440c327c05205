/* SPDX-License-Identifier: BSD-3-Clause */
/* dextd: a driver service for one or more devices. */
#include "driver/driver.h"
#include "provider/spec.h"

#include <errno.h>
#include <getopt.h>
#include <iokit-user/service.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEVICES_MAX 256

enum { EXIT_USAGE = 2 };

struct options {
	const char *socket;
	const char *specs[DEVICES_MAX];
	size_t count;
};

static struct iouser_server *server;	/* for the signal handler */

static void print_help(void)
{
	printf("Usage: dextd [--socket PATH] --device SPEC [--device SPEC ...]\n"
	       "\n"
	       "Serve PCI devices as driver extensions: programs claim them and drive them through\n"
	       "IOKit user-client calls (apple-dext-client.h), on a local socket.\n"
	       "\n"
	       "  -d, --device SPEC   a device; give it once for each\n"
	       "  -s, --socket PATH   where clients find the service: by default $DEXT_SOCKET, else\n"
	       "                      $XDG_RUNTIME_DIR/dextpci/dextd.sock, else /run/dextpci/dextd.sock\n"
	       "  -h, --help          this text\n"
	       "  -V, --version       the version\n"
	       "\n"
	       "Devices:\n");
	provider_print_types();
	printf("\n"
	       "Examples:\n"
	       "  truncate -s 1G disk.img\n"
	       "  dextd --device nvme,addr=01:00.0,image=disk.img\n"
	       "  dextd --socket /tmp/dextd.sock --device nvme,addr=01:00.0,size=64M \\\n"
	       "        --device nvme,addr=02:00.0,size=64M,block=4096\n"
	       "\n"
	       "Look at them with dextctl(1); give one to a virtual machine with dext-vfio-user(8).\n");
}

/* The exit status when the program is to end here, else -1. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "d:s:hV", known, NULL)) != -1) {
		switch (option) {
		case 'd':
			if (options->count == DEVICES_MAX) {
				fprintf(stderr, "dextd: more than %d devices\n", DEVICES_MAX);
				return EXIT_USAGE;
			}
			options->specs[options->count++] = optarg;
			break;
		case 's':
			options->socket = optarg;
			break;
		case 'h':
			print_help();
			return EXIT_SUCCESS;
		case 'V':
			printf("dextd %s\n", DEXTPCI_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;	/* getopt has said what was wrong */
		}
	}
	if (optind < argc) {
		fprintf(stderr, "dextd: \"%s\": no arguments are taken besides options (see --help)\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	if (!options->count) {
		fprintf(stderr, "dextd: no device: give at least one --device SPEC (see --help)\n");
		return EXIT_USAGE;
	}
	if (!options->socket)
		options->socket = iouser_socket_path();
	return -1;
}

static bool same_address(const struct pci_address *a, const struct pci_address *b)
{
	return a->bus == b->bus && a->device == b->device && a->function == b->function &&
	       strcmp(a->root, b->root) == 0;
}

struct devices {
	size_t count;
	struct dext_driver *drivers[DEVICES_MAX];
	struct pci_address addresses[DEVICES_MAX];
};

/* Create one device; on failure the error has been printed. */
static bool add_device(struct devices *devices, const char *spec)
{
	struct pci_provider *provider;
	char address[SPEC_ADDRESS_SIZE];
	struct spec_error error;

	provider = provider_create(spec, &error);
	if (!provider) {
		fprintf(stderr, "dextd: %s\n", error.text);
		return false;
	}
	for (size_t i = 0; i < devices->count; i++) {
		if (!same_address(&devices->addresses[i], &provider->address))
			continue;
		fprintf(stderr, "dextd: %s: address %s is in use by an earlier --device\n", spec,
			spec_format_address(&provider->address, address));
		provider->ops->destroy(provider);
		return false;
	}
	devices->addresses[devices->count] = provider->address;
	devices->drivers[devices->count] = dext_driver_create(provider);
	if (!devices->drivers[devices->count]) {
		fprintf(stderr, "dextd: %s: the device does not answer, or memory is out\n", spec);
		return false;
	}
	devices->count++;
	return true;
}

static void destroy_devices(struct devices *devices)
{
	while (devices->count)
		dext_driver_destroy(devices->drivers[--devices->count]);
}

/* The default socket's folder is ours to make; one that the user named is not. */
static void make_default_folder(const char *socket)
{
	const char *slash = strrchr(socket, '/');
	char folder[PATH_MAX];

	if (!slash || getenv("DEXT_SOCKET") || (size_t)(slash - socket) >= sizeof(folder))
		return;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - socket), socket);
	mkdir(folder, 0755);	/* if it cannot be made, binding the socket says why */
}

static void handle_signal(int signal)
{
	(void)signal;
	iouser_server_stop(server);
}

static void serve(const struct devices *devices, const char *path)
{
	struct sigaction action = { .sa_handler = handle_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	fprintf(stderr, "dextd: serving %zu device%s at %s\n", devices->count,
		devices->count == 1 ? "" : "s", path);
	iouser_server_run(server);
}

int main(int argc, char **argv)
{
	struct options options = { .socket = NULL };
	struct devices devices = { .count = 0 };
	int status = parse_options(argc, argv, &options);
	char error[256];

	if (status >= 0)
		return status;
	status = EXIT_SUCCESS;
	for (size_t i = 0; i < options.count && status == EXIT_SUCCESS; i++)
		if (!add_device(&devices, options.specs[i]))
			status = EXIT_FAILURE;
	if (status == EXIT_SUCCESS) {
		if (options.socket == iouser_socket_path())
			make_default_folder(options.socket);
		server = iouser_server_create(options.socket, error, sizeof(error));
		if (!server) {
			fprintf(stderr, "dextd: %s\n", error);
			status = EXIT_FAILURE;
		} else {
			serve(&devices, options.socket);
			iouser_server_destroy(server);
		}
	}
	destroy_devices(&devices);
	return status;
}
