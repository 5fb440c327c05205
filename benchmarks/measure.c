/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX  200000u
#define WARM_UP_PART 0.1 /* of the duration */
#define PROGRESS_NS  2e8 /* between two updates of the progress line */

struct samples {
	double *values;
	size_t count;
};

double bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/*
 * Print the progress on a terminal. ./bench passes its standard error as descriptor 3, because
 * it filters that of this process.
 */
#define PROGRESS_FD 3

static void progress(const struct bench_group *group, double part)
{
	static double last;

	if (!isatty(PROGRESS_FD) || (bench_now() - last < PROGRESS_NS && part < 1))
		return;
	last = bench_now();
	if (part < 1)
		dprintf(PROGRESS_FD, "\r\033[K  Measuring: %s  %.0f%%", group->title, part * 100);
	else
		dprintf(PROGRESS_FD, "\r\033[K");
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static struct bench_result summarise(struct samples *samples)
{
	qsort(samples->values, samples->count, sizeof(samples->values[0]), compare);
	return (struct bench_result){
		.p50 = samples->values[samples->count / 2],
		.p99 = samples->values[samples->count - 1 - samples->count / 100],
		.samples = samples->count,
	};
}

/* A burst of each case. @record: false during the warm-up. */
static bool run_bursts(const struct bench_group *group, struct samples *samples, bool record)
{
	for (size_t i = 0; i < group->case_count; i++) {
		for (unsigned burst = 0; burst < group->burst; burst++) {
			double value = group->cases[i].run(group->cases[i].context);

			if (value < 0) {
				fprintf(stderr, "dextpci: benchmark \"%s\": %s failed\n",
					group->title, group->cases[i].name);
				return false;
			}
			if (record && samples[i].count < SAMPLES_MAX)
				samples[i].values[samples[i].count++] = value;
		}
	}
	return true;
}

static bool measure(const struct bench_group *group, struct samples *samples)
{
	double began = bench_now(), total = group->seconds * 1e9, elapsed;

	do {
		elapsed = bench_now() - began;
		progress(group, elapsed < total ? elapsed / total : 1);
		if (!run_bursts(group, samples, elapsed > total * WARM_UP_PART))
			return false;
	} while (elapsed < total);
	return true;
}

bool bench_measure(const struct bench_group *group, struct bench_result *results)
{
	struct samples samples[BENCH_CASES_MAX] = { 0 };
	bool done = true;

	for (size_t i = 0; i < group->case_count; i++) {
		samples[i].values = malloc(SAMPLES_MAX * sizeof(samples[i].values[0]));
		done = done && samples[i].values;
	}
	done = done && measure(group, samples);
	for (size_t i = 0; i < group->case_count; i++) {
		if (done)
			results[i] = summarise(&samples[i]);
		free(samples[i].values);
	}
	return done;
}
