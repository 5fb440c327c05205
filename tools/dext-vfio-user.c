/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dext-vfio-user: serve devices to virtual machines: devices of a driver service (--addr), or
 * devices with drivers in this program (--device). Each has its own socket and its own thread,
 * and does not wait for the others.
 */
#include "common/limits.h"
#include "tools/cli.h"
#include "tools/dext-vfio-user-driver.h"
#include "tools/dext-vfio-user-options.h"
#include "tools/sandbox.h"
#include "tools/shutdown.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>
#endif

struct served {
	const struct entry *entry;
	struct dext_driver *driver; /* NULL: in a driver service */
	struct vu_device *device;
	struct vu_server *server;
	pthread_t thread;
	bool running, succeeded;
	int status; /* exit status if begin() fails */
};

/* For the signal handler, which uses @all only if @serving. */
static struct served *all;
static size_t all_count;
static atomic_bool serving, stopping;

static void stop_all(void)
{
	for (size_t i = 0; i < all_count; i++)
		vu_server_stop(all[i].server);
}

static void on_signal(int signal)
{
	(void)signal;
	shutdown_begin();
	atomic_store(&stopping, true);
	if (atomic_load(&serving))
		stop_all();
}

static void catch_signals(void)
{
	struct sigaction stop = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* --- One device --------------------------------------------------------------------- */

/* Open the device, and create its driver first if it has a specification. */
static bool begin(struct served *served)
{
	const struct entry *entry = served->entry;
	struct vu_device_options options = entry->device;
	struct pci_address address = entry->address;
	char error[VU_ERROR_SIZE];
	bool is_invalid;

	if (entry->spec) {
		served->driver =
			driver_create(entry->spec, &address, &is_invalid, error, sizeof(error));
		if (!served->driver) {
			cli_error("%s%s", entry->where, error);
			served->status = is_invalid ? EXIT_USAGE : EXIT_FAILURE;
			return false;
		}
	}
	options.bus = address.bus;
	options.device = address.device;
	options.function = address.function;
	memcpy(options.root, address.root, sizeof(options.root));
	options.reconnect = !entry->spec;
	served->device = vu_device_open(&options, error);
	if (served->device)
		served->server = vu_server_create(served->device, entry->socket, error);
	if (!served->server)
		cli_error("%s%s", entry->where, error);
	return served->server != NULL;
}

static void end(struct served *served)
{
	vu_server_destroy(served->server);
	vu_device_close(served->device);
	driver_destroy(served->driver);
}

static void *run(void *argument)
{
	struct served *served = argument;

	served->succeeded = vu_server_run(served->server);
	return NULL;
}

/* --- All of them ------------------------------------------------------------------------ */

/* Announce that clients may connect. */
static void report_ready(void)
{
	for (size_t i = 0; i < all_count; i++)
		printf("serving %s at %s\n", vu_device_name(all[i].device), all[i].entry->socket);
	fflush(stdout);
#ifdef HAVE_LIBSYSTEMD
	sd_notifyf(
		0, "READY=1\nSTATUS=Serving %zu device%s.", all_count, all_count == 1 ? "" : "s");
#endif
}

static bool start_threads(void)
{
	for (size_t i = 0; i < all_count; i++) {
		all[i].running = pthread_create(&all[i].thread, NULL, run, &all[i]) == 0;
		if (!all[i].running) {
			cli_error("cannot create a thread");
			stop_all();
			return false;
		}
	}
	return true;
}

static bool wait_for_threads(void)
{
	bool succeeded = true;

	shutdown_phase("sessions of virtual machines");
	for (size_t i = 0; i < all_count; i++) {
		if (!all[i].running)
			continue;
		pthread_join(all[i].thread, NULL);
		succeeded = succeeded && all[i].succeeded;
	}
	return succeeded;
}

static bool serve_all(const struct options *options)
{
	char error[VU_ERROR_SIZE];
	bool started;

	if (options->sandbox && !sandbox_enter(error, sizeof(error))) {
		cli_error("%s", error);
		return false;
	}
	atomic_store(&serving, true);
	/* A signal that arrived before @serving was set stopped nothing. */
	if (atomic_load(&stopping))
		stop_all();
	report_ready();
	started = start_threads();
	return wait_for_threads() && started;
}

/* Call this before threads are created: those that exist are not confined. */
static void prepare_sandbox(const struct options *options)
{
	const char **sockets = cli_allocate(options->count * sizeof(*sockets));

	for (size_t i = 0; i < options->count; i++)
		sockets[i] = options->entries[i].socket;
	sandbox_prepare(sockets, options->count);
	free(sockets);
}

/* Return: the exit status. */
static int serve(const struct options *options)
{
	int status = EXIT_FAILURE;
	bool begun = true;

	all = cli_allocate(options->count * sizeof(*all));
	for (; begun && all_count < options->count; all_count++) {
		all[all_count].entry = &options->entries[all_count];
		all[all_count].status = EXIT_FAILURE;
		begun = begin(&all[all_count]);
		status = all[all_count].status;
	}
	if (begun)
		status = serve_all(options) ? EXIT_SUCCESS : EXIT_FAILURE;
	atomic_store(&serving, false);
	shutdown_phase("devices");
	for (size_t i = 0; i < all_count; i++)
		end(&all[i]);
	free(all);
	return status;
}

/* Return: the exit status. */
static int start(const struct options *options)
{
	char error[VU_ERROR_SIZE];

	if (options->sandbox)
		prepare_sandbox(options);
	if (!shutdown_init("dext-vfio-user"))
		return EXIT_FAILURE;
	catch_signals();
	/* Each range of guest memory, and each vector, needs a descriptor. */
	limits_set();
	if (!options->entries[0].spec &&
		!driver_service_find(options->driver, error, sizeof(error))) {
		cli_error("%s", error);
		return EXIT_FAILURE;
	}
	return serve(options);
}

int main(int argc, char **argv)
{
	struct options options;
	int status = options_parse(&options, argc, argv);

	if (status == OPTIONS_CONTINUE)
		status = start(&options);
	options_free(&options);
	return status;
}
