/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program of ./bench: see usage() there. $DEXTD and $DEXT_VFIO_USER are the programs to
 * measure. --guest FILE reports the times that a guest has written to FILE.
 */
#include "benchmarks/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The last two publish a driver in this process, which then no longer connects to dextd. */
static const struct bench_group *const groups[] = { &bench_messages, &bench_messages_after_pause,
	&bench_bars, &bench_interrupts, &bench_nvme, &bench_dma, &bench_dma_map, &bench_idle,
	&bench_busy, &bench_wake_ups, &bench_in_process };
#define GROUPS (sizeof(groups) / sizeof(*groups))

/* The groups, one placement each: what is run and reported. */
static struct run {
	struct bench_group group;
	char name[32], title[64];
} runs[2 * GROUPS];
static size_t run_count;

static void add_run(const struct bench_group *group, enum bench_placement placement,
	const char *name_end, const char *title_end)
{
	struct run *run = &runs[run_count++];

	snprintf(run->name, sizeof(run->name), "%s%s", group->name, name_end);
	snprintf(run->title, sizeof(run->title), "%s%s", group->title, title_end);
	run->group = *group;
	run->group.placement = placement;
	run->group.name = run->name;
	run->group.title = run->title;
}

static void list_runs(void)
{
	for (size_t i = 0; i < GROUPS; i++) {
		if (groups[i]->placement != BENCH_BOTH) {
			add_run(groups[i], groups[i]->placement, "", "");
			continue;
		}
		add_run(groups[i], BENCH_TWO_CORES, "", ", from core to core");
		add_run(groups[i], BENCH_ONE_CORE, "-one-core", ", on one core");
	}
}

static int usage_error(const char *what, const char *option)
{
	fprintf(stderr, "dextpci: %s: %s\n", option, what);
	return 2;
}

/* The group of that name, or NULL. */
static const struct bench_group *find(const char *name)
{
	for (size_t i = 0; i < run_count; i++)
		if (strcmp(runs[i].name, name) == 0)
			return &runs[i].group;
	return NULL;
}

static bool run(const struct bench_group *group, struct bench_report *report)
{
	struct bench_result results[BENCH_CASES_MAX];
	bool done;

	if (!isatty(STDOUT_FILENO))
		fprintf(stderr, "  Measuring: %s\n", group->title);
	bench_place_servers(group->placement);
	done = group->begin();
	bench_place_client(group->placement);
	done = done && bench_measure(group, results);
	bench_place_anywhere();
	if (done)
		bench_report_group(report, group, results);
	else
		fprintf(stderr, "dextpci: benchmark \"%s\" failed\n", group->title);
	group->end();
	return done;
}

int main(int argc, char **argv)
{
	const struct bench_group *only = NULL;
	struct bench_report *report;
	const char *guest = NULL;
	bool json = false, done = true;

	list_runs();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
			only = find(argv[++i]);
			if (!only)
				return usage_error("no such group of benchmarks", argv[i]);
		} else if (strcmp(argv[i], "--guest") == 0 && i + 1 < argc) {
			guest = argv[++i];
		} else {
			return usage_error("no such option", argv[i]);
		}
	}
	report = bench_report_begin(json);
	if (!report)
		return 1;
	if (guest)
		done = bench_report_guest(report, guest);
	for (size_t i = 0; i < run_count && !guest; i++)
		if (!only || only == &runs[i].group)
			done = run(&runs[i].group, report) && done;
	bench_report_end(report);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
