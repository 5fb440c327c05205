/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The results of ./bench --guest: lines "dextpci: time DISK P50 P99 SAMPLES OPERATION" in the
 * report of the guest. DISK is the index in disks[]; an operation's first line is QEMU's disk.
 */
#include "benchmarks/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISKS 3u
static const char *const disks[DISKS] = { "QEMU's", "default options", "BARs shared" };

#define OPERATIONS_MAX (BENCH_CASES_MAX / DISKS)
#define TEXT_MAX       80

struct times {
	size_t count; /* of cases */
	struct bench_case cases[BENCH_CASES_MAX];
	struct bench_result results[BENCH_CASES_MAX];
	struct bench_figure speeds[BENCH_CASES_MAX];
	size_t speed_count;
	char names[BENCH_CASES_MAX][TEXT_MAX];
};

/* Return: false when the line is a result, but invalid or not the next one. */
static bool add_line(struct times *times, const char *line)
{
	size_t at = times->count, reference = at - at % DISKS, disk;
	struct bench_result *result = &times->results[at];
	char operation[41];

	if (strncmp(line, "dextpci: time ", 14) != 0)
		return true;
	if (at == BENCH_CASES_MAX ||
		sscanf(line, "dextpci: time %zu %lf %lf %zu %40[^\r\n]", &disk, &result->p50,
			&result->p99, &result->samples, operation) != 5 ||
		disk != at % DISKS || result->p50 <= 0 || result->p99 <= 0)
		return false;
	snprintf(times->names[at], TEXT_MAX, "%s, %s", operation, disks[disk]);
	times->cases[at] = (struct bench_case){ .name = times->names[at], .reference = reference };
	if (disk != 0)
		times->speeds[times->speed_count++] = (struct bench_figure){ times->names[at],
			"of QEMU's speed", times->results[reference].p50 / result->p50 };
	times->count++;
	return true;
}

static bool read_times(struct times *times, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256];
	bool valid = true;

	if (!file) {
		fprintf(stderr, "dextpci: %s: %s\n", path, strerror(errno));
		return false;
	}
	while (valid && fgets(line, sizeof(line), file))
		valid = add_line(times, line);
	fclose(file);
	if (valid && times->count && times->count % DISKS == 0)
		return true;
	fprintf(stderr, "dextpci: %s: expected times of %u disks for each operation\n", path,
		DISKS);
	return false;
}

bool bench_report_guest(struct bench_report *report, const char *path)
{
	static struct times times;
	struct bench_group group = {
		.name = "guest",
		.title = "NVMe in a guest, each request",
		.cases = times.cases,
		.figures = times.speeds,
	};

	if (!read_times(&times, path))
		return false;
	group.case_count = times.count;
	group.figure_count = times.speed_count;
	bench_report_group(report, &group, times.results);
	return true;
}
