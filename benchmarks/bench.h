/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Benchmarks. Absolute times depend on the machine and its load. Therefore each case is
 * measured together with a reference, alternately: a burst of samples of one, a burst of
 * the other. The report has medians and 99th percentiles, and their ratios.
 */
#ifndef BENCHMARKS_BENCH_H
#define BENCHMARKS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_case {
	const char *name;
	size_t reference; /* index of the case to compare with; a reference has its own index */
	/* One sample: nanoseconds per operation, or a negative value on failure. */
	double (*run)(void *context);
	void *context;
};

/* An additional result of a group, which is not a time per operation. */
struct bench_figure {
	const char *name, *unit;
	double value;
};

/*
 * The CPU affinity of the group's processes. A wake-up on the same core takes a fraction of the
 * time of one on another core, and without an affinity the scheduler uses both.
 */
enum bench_placement {
	BENCH_ANYWHERE,
	BENCH_ONE_CORE,
	BENCH_TWO_CORES, /* processes that begin() starts run on another core than this one */
	BENCH_BOTH,	 /* two groups: NAME on two cores, and NAME-one-core on one */
};

struct bench_group {
	const char *name, *title;
	enum bench_placement placement;
	const struct bench_case *cases;
	size_t case_count;
	unsigned burst;	     /* samples of a case before the next case is measured */
	double seconds;	     /* duration, with the warm-up */
	bool (*begin)(void); /* false on failure, which it has printed to standard error */
	void (*end)(void);   /* releases everything; also called when begin() has failed */
	const struct bench_figure *figures;
	size_t figure_count;
};

#define BENCH_CASES_MAX 18

struct bench_result {
	double p50, p99; /* nanoseconds */
	size_t samples;
};

extern const struct bench_group bench_messages, bench_messages_after_pause, bench_bars,
	bench_interrupts, bench_dma, bench_dma_map, bench_nvme, bench_wake_ups, bench_idle,
	bench_busy, bench_in_process;

/* --- measure.c --- */

/* CLOCK_MONOTONIC in nanoseconds. */
double bench_now(void);
/* Run a group's cases alternately. @results: one for each. False when a case has failed. */
bool bench_measure(const struct bench_group *group, struct bench_result *results);

/* --- placement.c --- */

/* Set the affinity of this process: before begin(), after it, and after the measurement. */
void bench_place_servers(enum bench_placement placement);
void bench_place_client(enum bench_placement placement);
void bench_place_anywhere(void);

/* --- report.c: prints a table or JSON to standard output --- */

struct bench_report;
struct bench_report *bench_report_begin(bool json);
void bench_report_group(struct bench_report *report, const struct bench_group *group,
	const struct bench_result *results);
void bench_report_end(struct bench_report *report);

/* --- guest.c --- */

/* Report the times that the guest of ./bench --guest has written to the file @path. */
bool bench_report_guest(struct bench_report *report, const char *path);

/* --- ping-pong.c: a message round trip between two processes --- */

/* Start the process that echoes messages. */
bool bench_ping_pong_begin(void);
void bench_ping_pong_end(void);
/* A case: a message of 32 bytes and its echo over AF_UNIX, SOCK_SEQPACKET. */
double bench_ping_pong(void *unused);

/* --- vfio-user-client.c: a minimal vfio-user client --- */

/*
 * Start dext-vfio-user ($DEXT_VFIO_USER) with --device @spec, --bar-access @bar_access and --poll-us
 * @poll_us (NULL: the default); connect.
 */
bool bench_vfio_user_begin(const char *spec, const char *bar_access, const char *poll_us);
void bench_vfio_user_end(void);
/* A case: read 4 bytes at offset 0 of the region that *context (a uint32_t) names. */
double bench_vfio_user_read(void *region);
/* DMA_MAP of a range of a file, and DMA_UNMAP. Return: nanoseconds, or a negative value. */
double bench_vfio_user_dma_map(int memory, uint64_t address, uint64_t offset, uint64_t size);
double bench_vfio_user_dma_unmap(uint64_t address, uint64_t size);
/*
 * Map the mappable part of a region (--bar-access shared), until bench_vfio_user_end(). Return: NULL
 * on failure.
 */
const uint32_t *bench_vfio_user_map(uint32_t region);

#endif
