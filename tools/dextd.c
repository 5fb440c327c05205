/* SPDX-License-Identifier: BSD-3-Clause */
/* dextd: a driver service for one or more devices. */
#include "common/limits.h"
#include "driver/driver.h"
#include "provider/spec.h"
#include "tools/dextd-access.h"
#include "tools/dextd-options.h"
#include "tools/shutdown.h"

#include <errno.h>
#include <grp.h>
#include <iokit-user/service.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>
#endif

static struct iouser_server *server; /* for the signal handler */

struct devices {
	size_t count;
	struct dext_driver *drivers[DEVICES_MAX];
	struct pci_address addresses[DEVICES_MAX];
};

/* Create one device. Return: OPTIONS_GO_ON, or the exit status; the error has been printed. */
static int add_device(struct devices *devices, const char *spec, const struct dext_quotas *quotas)
{
	struct pci_provider *provider;
	char address[PCI_ADDRESS_SIZE];
	struct spec_error error;

	provider = provider_create(spec, &error);
	if (!provider) {
		fprintf(stderr, "dextd: %s\n", error.text);
		return error.is_invalid ? EXIT_USAGE : EXIT_FAILURE;
	}
	for (size_t i = 0; i < devices->count; i++) {
		if (!pci_address_equal(&devices->addresses[i], &provider->address))
			continue;
		fprintf(stderr, "dextd: %s: address %s is in use by an earlier --device\n", spec,
			pci_address_format(&provider->address, address));
		provider->ops->destroy(provider);
		return EXIT_USAGE;
	}
	devices->addresses[devices->count] = provider->address;
	devices->drivers[devices->count] = dext_driver_create(provider);
	if (!devices->drivers[devices->count]) {
		fprintf(stderr, "dextd: %s: the device does not answer, or memory is out\n", spec);
		return EXIT_FAILURE;
	}
	dext_driver_set_quotas(devices->drivers[devices->count], quotas);
	devices->count++;
	return OPTIONS_GO_ON;
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
	mkdir(folder, 0755); /* if it cannot be made, binding the socket says why */
}

static void handle_signal(int signal)
{
	(void)signal;
	shutdown_begin();
	iouser_server_stop(server);
}

static void serve(const struct devices *devices, const char *path)
{
	struct sigaction action = { .sa_handler = handle_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	fprintf(stderr, "dextd: serving %zu device%s at %s\n", devices->count,
		devices->count == 1 ? "" : "s", path);
#ifdef HAVE_LIBSYSTEMD
	/* Services that need this one are started when they will find it. */
	sd_notifyf(0, "READY=1\nSTATUS=Serving %zu device%s.", devices->count,
		devices->count == 1 ? "" : "s");
#endif
	iouser_server_run(server);
}

/*
 * Run as somebody else from here on: socket, images and devices stay open. Whether the
 * memory of a client that shares none can still be reached is the system's to decide.
 */
static bool become(const char *name)
{
	const struct passwd *user = getpwnam(name);

	if (!user || initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
		setuid(user->pw_uid) != 0) {
		fprintf(stderr, "dextd: cannot run as user %s (%s)\n", name,
			user ? strerror(errno) : "no such user");
		return false;
	}
	if (user->pw_uid != 0 && setuid(0) == 0) {
		fprintf(stderr, "dextd: the change to user %s can be undone\n", name);
		return false;
	}
	return true;
}

static int open_and_serve(struct devices *devices, const struct options *options)
{
	int status = OPTIONS_GO_ON;
	char error[256];
	bool served;

	for (size_t i = 0; i < options->count && status == OPTIONS_GO_ON; i++)
		status = add_device(devices, options->specs[i], &options->quotas);
	if (status != OPTIONS_GO_ON)
		return status;
	if (options->default_socket)
		make_default_folder(options->server.path);
	server = iouser_server_create_with(&options->server, error, sizeof(error));
	if (!server) {
		fprintf(stderr, "dextd: %s\n", error);
		return EXIT_FAILURE;
	}
	access_tell(&options->server);
	served = !options->user || become(options->user);
	if (served)
		serve(devices, options->server.path);
	shutdown_phase("sessions of clients");
	iouser_server_destroy(server);
	return served ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct devices devices = { .count = 0 };
	struct options options;
	int status = parse_options(argc, argv, &options);

	if (status != OPTIONS_GO_ON)
		return status;
	limits_set();
	if (!shutdown_init("dextd"))
		return EXIT_FAILURE;
	status = open_and_serve(&devices, &options);
	shutdown_phase("devices");
	destroy_devices(&devices);
	return status;
}
