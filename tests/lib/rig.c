/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/rig.h"
#include "driver/driver.h"
#include "provider/spec.h"
#include "tests/lib/program.h"

#include <apple-dext-client.h>
#include <dirent.h>
#include <iokit-user/service.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static bool start_local(struct rig *rig, const char *const *specs)
{
	struct spec_error error;

	for (; *specs && rig->driver_count < RIG_DEVICES_MAX; specs++) {
		struct pci_provider *provider = provider_create(*specs, &error);

		if (!provider) {
			fprintf(stderr, "%s\n", error.text);
			return false;
		}
		rig->drivers[rig->driver_count] = dext_driver_create(provider);
		if (!rig->drivers[rig->driver_count])
			return false;
		rig->driver_count++;
	}
	return true;
}

/* Start the program and wait until it listens. */
static bool start_dextd(struct rig *rig, const char *const *specs)
{
	const char *argv[4 + 2 * RIG_DEVICES_MAX] = { getenv("DEXTD"), "--socket", rig->socket };
	char why[200] = "$DEXTD is not set";
	size_t count = 3;

	for (; *specs && count + 2 < sizeof(argv) / sizeof(*argv); specs++) {
		argv[count++] = "--device";
		argv[count++] = *specs;
	}
	argv[count] = NULL;
	rig->dextd = argv[0] ? program_start(argv, NULL, NULL) : -1;
	for (int i = 0; rig->dextd > 0 && i < 2000; i++, nap()) {
		if (iouser_service_probe(why, sizeof(why)))
			return true;
		if (waitpid(rig->dextd, NULL, WNOHANG) == rig->dextd)
			break;
	}
	fprintf(stderr, "dextd did not start: %s\n", why);
	return false;
}

bool rig_start(struct rig *rig, const char *const *specs)
{
	const char *transport = getenv("DEXT_TEST_TRANSPORT");

	*rig = (struct rig){ .local = transport && strcmp(transport, "local") == 0 };
	if (rig->local)
		return start_local(rig, specs);
	snprintf(rig->folder, sizeof(rig->folder), "/tmp/dextpci-test-XXXXXX");
	if (!mkdtemp(rig->folder))
		return false;
	snprintf(rig->socket, sizeof(rig->socket), "%s/dextd.sock", rig->folder);
	setenv("DEXT_SOCKET", rig->socket, 1);
	return start_dextd(rig, specs);
}

bool rig_restart(struct rig *rig, const char *const *specs)
{
	return mkdir(rig->folder, 0700) == 0 && start_dextd(rig, specs);
}

bool rig_stop(struct rig *rig)
{
	int status = 0;

	while (rig->driver_count)
		dext_driver_destroy(rig->drivers[--rig->driver_count]);
	if (rig->dextd > 0) {
		status = program_end(rig->dextd, SIGTERM);
		rmdir(rig->folder); /* dextd has removed its socket */
	}
	rig->dextd = 0;
	return status == 0;
}

int rig_start_group(void **state, struct rig *rig, const char *const *specs)
{
	*state = rig;
	return rig_start(rig, specs) ? 0 : -1;
}

int rig_stop_group(void **state)
{
	return rig_stop(*state) ? 0 : -1;
}

void rig_kill(struct rig *rig)
{
	if (rig->dextd <= 0)
		return;
	program_end(rig->dextd, SIGKILL);
	rig->dextd = 0;
	unlink(rig->socket);
	rmdir(rig->folder);
}

int rig_await_idle(void **state)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	AppleDextStatus status = { .clients = 0 };

	(void)state;
	for (int i = 0; i < 10000 && status.clients != 1; i++) {
		if (apple_dext_get_status(connection, &status) != kIOReturnSuccess)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	apple_dext_disconnect(connection);
	return 0;
}

static unsigned count_entries(pid_t process, const char *folder)
{
	char path[64];
	unsigned count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)process, folder);
	directory = opendir(path);
	if (!directory)
		return 0;
	for (struct dirent *entry; (entry = readdir(directory));)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

/* Mappings of shared memory, as clients send it. Heap and libraries vary. */
static unsigned count_mappings(pid_t process)
{
	char path[64], line[512];
	unsigned count = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)process);
	maps = fopen(path, "r");
	if (!maps)
		return 0;
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, " rw-s ") || strstr(line, " r--s ");
	fclose(maps);
	return count;
}

static unsigned resident_kb(pid_t process)
{
	char path[64], line[128];
	unsigned kb = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
	status = fopen(path, "r");
	if (!status)
		return 0;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "RssAnon: %u", &kb) == 1)
			break;
	fclose(status);
	return kb;
}

struct rig_resources rig_resources(pid_t process)
{
	return (struct rig_resources){ count_entries(process, "fd"), count_mappings(process),
		count_entries(process, "task"), resident_kb(process) };
}

bool rig_wait_resources(pid_t process, const struct rig_resources *before, unsigned seconds)
{
	struct rig_resources now = { 0 };

	for (unsigned i = 0; i < seconds * 200; i++, nap()) {
		now = rig_resources(process);
		if (now.descriptors <= before->descriptors && now.mappings <= before->mappings &&
			now.threads <= before->threads &&
			now.memory_kb <= before->memory_kb + RIG_MEMORY_SLACK_KB)
			return true;
	}
	fprintf(stderr,
		"descriptors %u -> %u, mappings %u -> %u, threads %u -> %u, memory %u -> %u KiB\n",
		before->descriptors, now.descriptors, before->mappings, now.mappings,
		before->threads, now.threads, before->memory_kb, now.memory_kb);
	return false;
}
