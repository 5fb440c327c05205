/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Benchmarks. Absolute figures move between machines and hours, so each case is
 * measured against a reference in the same run, in turns: a burst of one, a burst of
 * the other. What is reported are medians and 99th percentiles, and their ratios.
 */
#ifndef BENCHMARKS_BENCH_H
#define BENCHMARKS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_case {
	const char *name;
	size_t reference; /* index of the case to compare with; its own: it is a reference */
	/* One sample: nanoseconds an operation, or less than 0 when it failed. */
	double (*run)(void *context);
	void *context;
};

/* A figure beside the times. */
struct bench_figure {
	const char *name, *unit;
	double value;
};

/*
 * Where the group's processes run. A wake-up on the same core costs a fraction of one on
 * another; left alone, the scheduler chooses now this, now that.
 */
enum bench_placement {
	BENCH_ANYWHERE,
	BENCH_ONE_CORE,
	BENCH_TWO_CORES, /* what begin() starts on another core than the one that measures */
	BENCH_BOTH,	 /* two groups: NAME on two cores, and NAME-one-core on one */
};

struct bench_group {
	const char *name, *title;
	enum bench_placement placement;
	const struct bench_case *cases;
	size_t case_count;
	unsigned burst;	     /* how many samples of a case before the next one's turn */
	double seconds;	     /* how long to measure, warm-up included */
	bool (*begin)(void); /* says on standard error why not, as end() need not */
	void (*end)(void);   /* undoes begin(), one that failed too */
	const struct bench_figure *figures;
	size_t figure_count;
};

#define BENCH_CASES_MAX 18

struct bench_result {
	double p50, p99; /* nanoseconds */
	size_t samples;
};

extern const struct bench_group bench_messages, bench_bars, bench_interrupts, bench_dma,
	bench_dma_map, bench_nvme, bench_in_process;

/* --- measure.c --- */

/* CLOCK_MONOTONIC in nanoseconds. */
double bench_now(void);
/* Run a group's cases in turns; results has one for each. False when one failed. */
bool bench_measure(const struct bench_group *group, struct bench_result *results);

/* --- placement.c --- */

/* Before begin(), after begin(), and after end(). */
void bench_place_servers(enum bench_placement placement);
void bench_place_measurer(enum bench_placement placement);
void bench_place_anywhere(void);

/* --- report.c: a table, or JSON, on standard output --- */

struct bench_report;
struct bench_report *bench_report_begin(bool json);
void bench_report_group(struct bench_report *report, const struct bench_group *group,
	const struct bench_result *results);
void bench_report_end(struct bench_report *report);

/* --- guest.c --- */

/* Report what the guest of ./bench --guest has written to the file @path. */
bool bench_report_guest(struct bench_report *report, const char *path);

/* --- ping-pong.c: what a round trip between two processes costs here --- */

/* Start the other side. */
bool bench_ping_pong_begin(void);
void bench_ping_pong_end(void);
/* A case: 32 bytes there and back over AF_UNIX, SOCK_SEQPACKET. */
double bench_ping_pong(void *unused);

/* --- vfio-user-client.c: just enough of a vfio-user client --- */

/* Start dext-vfio-user ($DEXT_VFIO_USER) with a device of its own and that --bar-access, and greet it. */
bool bench_vfio_user_begin(const char *spec, const char *bar_access);
void bench_vfio_user_end(void);
/* A case: read 4 bytes at offset 0 of the region that *context (a uint32_t) names. */
double bench_vfio_user_read(void *region);
/* DMA_MAP of a range of a file, and DMA_UNMAP: nanoseconds, or less than 0. */
double bench_vfio_user_dma_map(int memory, uint64_t address, uint64_t offset, uint64_t size);
double bench_vfio_user_dma_unmap(uint64_t address, uint64_t size);
/* Map what it lets clients map of a region, until the end: --bar-access shared. NULL: nothing. */
const uint32_t *bench_vfio_user_map(uint32_t region);

#endif
