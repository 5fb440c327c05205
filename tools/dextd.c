/* SPDX-License-Identifier: BSD-3-Clause */
/* dextd: a driver service for one or more devices. */
#include "common/limits.h"
#include "driver/driver.h"
#include "provider/spec.h"
#include "tools/cli.h"
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

/* Create one device. Return: OPTIONS_CONTINUE, or the exit status of a printed error. */
static int add_device(struct devices *devices, const char *spec, const struct dext_quotas *quotas)
{
	struct pci_provider *provider;
	char address[PCI_ADDRESS_SIZE];
	struct spec_error error;

	provider = provider_create(spec, &error);
	if (!provider) {
		cli_error("%s", error.text);
		return error.is_invalid ? EXIT_USAGE : EXIT_FAILURE;
	}
	for (size_t i = 0; i < devices->count; i++) {
		if (!pci_address_equal(&devices->addresses[i], &provider->address))
			continue;
		cli_error("%s: address %s is in use by an earlier --device", spec,
			pci_address_format(&provider->address, address));
		provider->ops->destroy(provider);
		return EXIT_USAGE;
	}
	devices->addresses[devices->count] = provider->address;
	devices->drivers[devices->count] = dext_driver_create(provider);
	if (!devices->drivers[devices->count]) {
		cli_error("%s: the device does not answer, or memory is out", spec);
		return EXIT_FAILURE;
	}
	dext_driver_set_quotas(devices->drivers[devices->count], quotas);
	devices->count++;
	return OPTIONS_CONTINUE;
}

static void destroy_devices(struct devices *devices)
{
	while (devices->count)
		dext_driver_destroy(devices->drivers[--devices->count]);
}

/* Only the folder of the default socket is created. */
static void make_default_folder(const char *socket)
{
	const char *slash = strrchr(socket, '/');
	char folder[PATH_MAX];

	if (!slash || getenv("DEXT_SOCKET") || (size_t)(slash - socket) >= sizeof(folder))
		return;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - socket), socket);
	mkdir(folder, 0755); /* if this fails, binding the socket reports it */
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
	/* systemd starts the services that need this one now. */
	sd_notifyf(0, "READY=1\nSTATUS=Serving %zu device%s.", devices->count,
		devices->count == 1 ? "" : "s");
#endif
	iouser_server_run(server);
}

/*
 * Change to another user; socket, images and devices stay open. The kernel then decides whether
 * the private memory of a client can still be accessed.
 */
static bool change_user(const char *name)
{
	const struct passwd *user = getpwnam(name);

	if (!user || initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
		setuid(user->pw_uid) != 0) {
		cli_error("cannot run as user %s (%s)", name,
			user ? strerror(errno) : "no such user");
		return false;
	}
	if (user->pw_uid != 0 && setuid(0) == 0) {
		cli_error("the change to user %s can be undone", name);
		return false;
	}
	return true;
}

static int open_and_serve(struct devices *devices, const struct options *options)
{
	int status = OPTIONS_CONTINUE;
	char error[256];
	bool served;

	for (size_t i = 0; i < options->count && status == OPTIONS_CONTINUE; i++)
		status = add_device(devices, options->specs[i], &options->quotas);
	if (status != OPTIONS_CONTINUE)
		return status;
	if (options->default_socket)
		make_default_folder(options->server.path);
	server = iouser_server_create(&options->server, error, sizeof(error));
	if (!server) {
		cli_error("%s", error);
		return EXIT_FAILURE;
	}
	access_report(&options->server);
	served = !options->user || change_user(options->user);
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

	if (status != OPTIONS_CONTINUE)
		return status;
	limits_set();
	if (!shutdown_init("dextd"))
		return EXIT_FAILURE;
	status = open_and_serve(&devices, &options);
	shutdown_phase("devices");
	destroy_devices(&devices);
	return status;
}
