/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dext-vfio-user: devices of the driver extension for virtual machines. A device is a
 * driver service's (--addr), or one that this program makes and drives itself
 * (--device). Each has a socket and a thread of its own, and none waits for another.
 */
#include "common/limits.h"
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

/* A device, as far as it is being served. */
struct served {
	const struct entry *entry;
	struct dext_driver *driver; /* NULL: a driver service's */
	struct vu_device *device;
	struct vu_server *server;
	pthread_t thread;
	bool running, well;
	int status; /* how the program ends when it could not begin */
};

/* What the signals' handler stops: set once, before @serving. */
static struct served *all;
static size_t all_count;
static atomic_bool serving, stopping;

static void complain(const struct entry *entry, const char *what)
{
	fprintf(stderr, "dext-vfio-user: %s%s\n", entry ? entry->where : "", what);
}

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

static bool make_device(struct served *served, struct pci_address *address)
{
	char error[VU_ERROR_SIZE];
	bool is_invalid;

	served->driver =
		driver_create(served->entry->spec, address, &is_invalid, error, sizeof(error));
	if (served->driver)
		return true;
	complain(served->entry, error);
	if (is_invalid)
		served->status = EXIT_USAGE;
	return false;
}

static bool begin(struct served *served)
{
	struct vu_device_options options = served->entry->device;
	struct pci_address address = served->entry->address;
	char error[VU_ERROR_SIZE];

	if (served->entry->spec && !make_device(served, &address))
		return false;
	options.bus = address.bus;
	options.device = address.device;
	options.function = address.function;
	memcpy(options.root, address.root, sizeof(options.root));
	options.reconnect = !served->entry->spec;
	served->device = vu_device_open(&options, error);
	if (served->device)
		served->server = vu_server_create(served->device, served->entry->socket, error);
	if (!served->server)
		complain(served->entry, error);
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

	served->well = vu_server_run(served->server);
	return NULL;
}

/* --- All of them ------------------------------------------------------------------------ */

/* Clients may come. Whoever started this program waits for it to say so. */
static void tell(void)
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
			complain(NULL, "no thread can be started");
			stop_all();
			return false;
		}
	}
	return true;
}

static bool wait_for_threads(void)
{
	bool well = true;

	shutdown_phase("sessions of virtual machines");
	for (size_t i = 0; i < all_count; i++) {
		if (!all[i].running)
			continue;
		pthread_join(all[i].thread, NULL);
		well = well && all[i].well;
	}
	return well;
}

static bool serve_all(const struct options *options)
{
	char error[VU_ERROR_SIZE];
	bool started;

	if (options->sandbox && !sandbox_enter(error, sizeof(error))) {
		complain(NULL, error);
		return false;
	}
	atomic_store(&serving, true);
	/* A signal that came before there was anything to stop. */
	if (atomic_load(&stopping))
		stop_all();
	tell();
	started = start_threads();
	return wait_for_threads() && started;
}

/* Before there are other threads, which would not be confined. */
static bool prepare_sandbox(const struct options *options)
{
	const char **sockets;

	if (!options->sandbox)
		return true;
	sockets = calloc(options->count, sizeof(*sockets));
	if (!sockets) {
		complain(NULL, "out of memory");
		return false;
	}
	for (size_t i = 0; i < options->count; i++)
		sockets[i] = options->entries[i].socket;
	sandbox_prepare(sockets, options->count);
	free(sockets);
	return true;
}

/* Return: the exit status. */
static int serve(const struct options *options)
{
	int status = EXIT_FAILURE;
	bool well = true;

	all = calloc(options->count, sizeof(*all));
	if (!all) {
		complain(NULL, "out of memory");
		return EXIT_FAILURE;
	}
	for (; well && all_count < options->count; all_count++) {
		all[all_count].entry = &options->entries[all_count];
		all[all_count].status = EXIT_FAILURE;
		well = begin(&all[all_count]);
		status = all[all_count].status;
	}
	if (well)
		status = serve_all(options) ? EXIT_SUCCESS : EXIT_FAILURE;
	atomic_store(&serving, false);
	shutdown_phase("devices");
	for (size_t i = 0; i < all_count; i++)
		end(&all[i]);
	free(all);
	return status;
}

/* Whether the driver service is there, when one is needed. */
static bool find_service(const struct options *options)
{
	char why[VU_ERROR_SIZE];

	if (options->entries[0].spec)
		return true;
	if (driver_service_find(options->driver, why, sizeof(why)))
		return true;
	complain(NULL, why);
	return false;
}

int main(int argc, char **argv)
{
	struct options options;
	int status = options_parse(&options, argc, argv);

	if (status < 0 && (!prepare_sandbox(&options) || !shutdown_init("dext-vfio-user"))) {
		status = EXIT_FAILURE;
	} else if (status < 0) {
		catch_signals();
		/* Every range of guest memory keeps a descriptor open, and every vector. */
		limits_set();
		status = find_service(&options) ? serve(&options) : EXIT_FAILURE;
	}
	options_free(&options);
	return status;
}
