/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory and CPU time of dextd with one device that no client uses. */
#include "benchmarks/bench.h"
#include "tests/lib/rig.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_SECONDS	1
#define MEASURE_SECONDS 5

enum { FIGURE_RESIDENT, FIGURE_ANONYMOUS, FIGURE_CPU, FIGURES };

static struct rig rig;
static struct bench_figure figures[FIGURES] = {
	[FIGURE_RESIDENT] = { "resident memory of dextd", "KiB", 0 },
	[FIGURE_ANONYMOUS] = { "of it anonymous (without program and libraries)", "KiB", 0 },
	[FIGURE_CPU] = { "CPU time of dextd", "% of a CPU", 0 },
};

static bool read_memory(void)
{
	char path[64], line[256];
	double resident = -1, anonymous = -1;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)rig.dextd);
	status = fopen(path, "re");
	if (!status)
		return false;
	while (fgets(line, sizeof(line), status)) {
		sscanf(line, "VmRSS: %lf", &resident);
		sscanf(line, "RssAnon: %lf", &anonymous);
	}
	fclose(status);
	figures[FIGURE_RESIDENT].value = resident;
	figures[FIGURE_ANONYMOUS].value = anonymous;
	return resident >= 0 && anonymous >= 0;
}

/* The CPU time of all threads of dextd, in seconds; negative on failure. */
static double cpu_seconds(void)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(rig.dextd, &clock) != 0 || clock_gettime(clock, &time) != 0)
		return -1;
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool begin(void)
{
	static const char *const specs[] = { "nvme,addr=01:00.0,size=1M", NULL };
	double before, after;

	if (!rig_start(&rig, specs))
		return false;
	sleep(SETTLE_SECONDS);
	before = cpu_seconds();
	sleep(MEASURE_SECONDS);
	after = cpu_seconds();
	figures[FIGURE_CPU].value = (after - before) / MEASURE_SECONDS * 100;
	if (before >= 0 && after >= 0 && read_memory())
		return true;
	fprintf(stderr, "dextpci: memory and CPU time of dextd are unknown\n");
	return false;
}

static void end(void)
{
	rig_stop(&rig);
}

/* It has figures only. */
const struct bench_group bench_idle = {
	.name = "idle",
	.title = "dextd with an idle device",
	.begin = begin,
	.end = end,
	.figures = figures,
	.figure_count = FIGURES,
};
