/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What polling takes from other programs when all cores are busy: as many processes as there are
 * CPUs compute, and a client makes calls all the time, with polling and without. What the processes
 * compute less than without the client is the CPU time that its calls have taken from them.
 */
#include "benchmarks/bench.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPUS_MAX 64
#define ROUNDS	 4
#define PART_NS	 700e6
/* Not counted: the decision whether to poll is made from past waits. */
#define WARM_UP_NS 100e6

#define SPEC "nvme,addr=01:00.0,size=1M"

struct program {
	_Alignas(64) _Atomic uint64_t units; /* of computation */
};

static struct rig rig;
static io_connect_t connection;
static pid_t pids[CPUS_MAX];
static size_t program_count;
static struct program *programs;

static double config_read(void)
{
	uint64_t value;

	return apple_dext_config_read(connection, 0, 4, &value) == kIOReturnSuccess ? 1 : -1;
}

static double region_read(void)
{
	static uint32_t region;

	return bench_vfio_user_read(&region);
}

/* The variable is read after some calls of a connection: it stays set until end_connection(). */
static bool connect_with(const char *channel)
{
	setenv("IOKIT_USER_CHANNEL", channel, 1);
	connection = apple_dext_connect(1, 0, 0);
	if (connection == IO_OBJECT_NULL)
		fprintf(stderr, "dextpci: %s\n", apple_dext_last_error());
	return connection != IO_OBJECT_NULL;
}

static bool begin_channel(void)
{
	return connect_with("on");
}

static bool begin_socket(void)
{
	return connect_with("off");
}

static void end_connection(void)
{
	apple_dext_disconnect(connection);
	unsetenv("IOKIT_USER_CHANNEL");
}

static bool begin_polling_server(void)
{
	return bench_vfio_user_begin(SPEC, "mapped", NULL);
}

static bool begin_sleeping_server(void)
{
	return bench_vfio_user_begin(SPEC, "mapped", "0");
}

enum { CHANNEL, SOCKET, POLLING, SLEEPING, CLIENTS };

static struct client {
	bool (*begin)(void);
	double (*call)(void);
	void (*end)(void);
	double calls, lost_ns;
} clients[CLIENTS] = {
	[CHANNEL] = { begin_channel, config_read, end_connection, 0, 0 },
	[SOCKET] = { begin_socket, config_read, end_connection, 0, 0 },
	[POLLING] = { begin_polling_server, region_read, bench_vfio_user_end, 0, 0 },
	[SLEEPING] = { begin_sleeping_server, region_read, bench_vfio_user_end, 0, 0 },
};

/* Of each client: the calls, and the CPU time that one takes from the programs. */
static struct bench_figure figures[2 * CLIENTS] = {
	{ "config reads, by the channel", "a second", 0 },
	{ "CPU time taken from others by one", "us", 0 },
	{ "config reads, IOKIT_USER_CHANNEL=off", "a second", 0 },
	{ "CPU time taken from others by one, channel off", "us", 0 },
	{ "region reads, dext-vfio-user", "a second", 0 },
	{ "CPU time taken from others by one, vfio-user", "us", 0 },
	{ "region reads, --poll-us 0", "a second", 0 },
	{ "CPU time taken from others by one, --poll-us 0", "us", 0 },
};

static void __attribute__((noreturn)) compute(struct program *program)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		for (volatile int i = 0; i < 1000; i++)
			;
		atomic_fetch_add_explicit(&program->units, 1, memory_order_relaxed);
	}
}

static bool begin_programs(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	programs = mmap(NULL, sizeof(*programs) * CPUS_MAX, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (programs == MAP_FAILED) {
		programs = NULL;
		return false;
	}
	for (; program_count < CPUS_MAX && (long)program_count < cpus; program_count++) {
		pids[program_count] = fork();
		if (pids[program_count] == 0)
			compute(&programs[program_count]);
		if (pids[program_count] < 0)
			return false;
	}
	return true;
}

static uint64_t units(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < program_count; i++)
		sum += atomic_load_explicit(&programs[i].units, memory_order_relaxed);
	return sum;
}

/* Units per nanosecond while nobody else runs. */
static double measure_alone(void)
{
	double began = bench_now();
	uint64_t before = units();

	usleep((useconds_t)(PART_NS / 1e3));
	return (double)(units() - before) / (bench_now() - began);
}

/* Add the calls and the CPU time that they take from the programs, of which @alone is the speed. */
static bool measure_client(struct client *client, double alone)
{
	double began, now, calls = 0;
	uint64_t before = 0;

	if (!client->begin())
		return false;
	began = bench_now();
	for (bool warm = false;; calls++) {
		if (client->call() < 0) {
			fprintf(stderr, "dextpci: a call has failed\n");
			break;
		}
		now = bench_now();
		if (!warm && now - began >= WARM_UP_NS) {
			warm = true;
			began = now;
			before = units();
			calls = 0;
		} else if (warm && now - began >= PART_NS) {
			double lost = alone * (now - began) - (double)(units() - before);

			client->calls += calls;
			/* In nanoseconds of one CPU. */
			client->lost_ns += lost / alone * (double)program_count;
			client->end();
			return true;
		}
	}
	client->end();
	return false;
}

static bool begin(void)
{
	static const char *const specs[] = { SPEC, NULL };

	if (!rig_start(&rig, specs) || !begin_programs())
		return false;
	for (unsigned round = 0; round < ROUNDS; round++) {
		double alone = measure_alone();

		for (size_t i = 0; i < CLIENTS; i++)
			if (!measure_client(&clients[i], alone))
				return false;
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		figures[2 * i].value = clients[i].calls / (ROUNDS * PART_NS / 1e9);
		figures[2 * i + 1].value = clients[i].lost_ns / clients[i].calls / 1e3;
	}
	return true;
}

static void end(void)
{
	for (size_t i = 0; i < program_count; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	program_count = 0;
	rig_stop(&rig);
}

/* It has figures only. */
const struct bench_group bench_busy = {
	.name = "busy",
	.title = "Calls while all cores are busy",
	.begin = begin,
	.end = end,
	.figures = figures,
	.figure_count = sizeof(figures) / sizeof(*figures),
};
