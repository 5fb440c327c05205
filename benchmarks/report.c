/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/bench.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME_WIDTH 44

struct bench_report {
	json_object *json; /* NULL: a table */
	json_object *groups;
	double began;
};

struct bench_report *bench_report_begin(bool json)
{
	struct bench_report *report = calloc(1, sizeof(*report));
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (!report)
		return NULL;
	report->began = bench_now();
	if (json) {
		report->json = json_object_new_object();
		report->groups = json_object_new_array();
		json_object_object_add(report->json, "cores", json_object_new_int64(cores));
		json_object_object_add(report->json, "groups", report->groups);
	} else {
		printf("%ld cores. Ratios are to the last reference above.\n", cores);
		fflush(stdout); /* before fork(): the child would print it again */
	}
	return report;
}

/* "12.3 ns", "4.56 us" */
static const char *duration(double ns, char text[32])
{
	static const char *const units[] = { "ns", "us", "ms", "s " };
	size_t unit = 0;

	for (; ns >= 1000 && unit < 3; unit++)
		ns /= 1000;
	snprintf(text, 32, "%.*f %s", ns < 10 ? 2 : ns < 100 ? 1 : 0, ns, units[unit]);
	return text;
}

static void print_row(const struct bench_group *group, const struct bench_result *results, size_t i)
{
	const struct bench_result *reference = &results[group->cases[i].reference];
	char p50[32], p99[32];

	printf("  %-*s %10s %10s", NAME_WIDTH, group->cases[i].name, duration(results[i].p50, p50),
		duration(results[i].p99, p99));
	if (reference == &results[i])
		printf("  reference\n");
	else
		printf(" %9.2fx %9.2fx\n", results[i].p50 / reference->p50,
			results[i].p99 / reference->p99);
}

static void print_group(const struct bench_group *group, const struct bench_result *results)
{
	printf("\n%-*s %10s %10s %10s %10s\n", NAME_WIDTH + 2, group->title, "p50", "p99",
		"ratio p50", "ratio p99");
	for (size_t i = 0; i < group->case_count; i++)
		print_row(group, results, i);
	for (size_t i = 0; i < group->figure_count; i++)
		printf("  %-*s %10.2f %s\n", NAME_WIDTH, group->figures[i].name,
			group->figures[i].value, group->figures[i].unit);
	fflush(stdout);
}

static json_object *json_row(
	const struct bench_group *group, const struct bench_result *results, size_t i)
{
	const struct bench_result *reference = &results[group->cases[i].reference];
	json_object *row = json_object_new_object();

	json_object_object_add(row, "name", json_object_new_string(group->cases[i].name));
	json_object_object_add(row, "p50_ns", json_object_new_double(results[i].p50));
	json_object_object_add(row, "p99_ns", json_object_new_double(results[i].p99));
	json_object_object_add(row, "samples", json_object_new_int64((int64_t)results[i].samples));
	if (reference == &results[i])
		return row;
	json_object_object_add(row, "reference",
		json_object_new_string(group->cases[group->cases[i].reference].name));
	json_object_object_add(
		row, "ratio_p50", json_object_new_double(results[i].p50 / reference->p50));
	json_object_object_add(
		row, "ratio_p99", json_object_new_double(results[i].p99 / reference->p99));
	return row;
}

static void add_group(struct bench_report *report, const struct bench_group *group,
	const struct bench_result *results)
{
	json_object *entry = json_object_new_object(), *cases = json_object_new_array();
	json_object *figures = json_object_new_array();

	for (size_t i = 0; i < group->case_count; i++)
		json_object_array_add(cases, json_row(group, results, i));
	for (size_t i = 0; i < group->figure_count; i++) {
		json_object *figure = json_object_new_object();

		json_object_object_add(
			figure, "name", json_object_new_string(group->figures[i].name));
		json_object_object_add(
			figure, "value", json_object_new_double(group->figures[i].value));
		json_object_object_add(
			figure, "unit", json_object_new_string(group->figures[i].unit));
		json_object_array_add(figures, figure);
	}
	json_object_object_add(entry, "name", json_object_new_string(group->name));
	json_object_object_add(entry, "title", json_object_new_string(group->title));
	json_object_object_add(entry, "cases", cases);
	json_object_object_add(entry, "figures", figures);
	json_object_array_add(report->groups, entry);
}

void bench_report_group(struct bench_report *report, const struct bench_group *group,
	const struct bench_result *results)
{
	if (report->json)
		add_group(report, group, results);
	else
		print_group(group, results);
}

void bench_report_end(struct bench_report *report)
{
	double seconds = (bench_now() - report->began) / 1e9;

	if (report->json) {
		json_object_object_add(report->json, "seconds", json_object_new_double(seconds));
		puts(json_object_to_json_string_ext(report->json, JSON_C_TO_STRING_PRETTY));
		json_object_put(report->json);
	} else if (seconds >= 1) {
		printf("\n%.0f s\n", seconds);
	}
	free(report);
}
