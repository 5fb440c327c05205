/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The honest client: a process that uses its own NVMe device, reads the data it has written,
 * handles interrupts, and on dextd connects as a new client repeatedly. It reports failures, and
 * the time that operations took.
 */
#ifndef TESTS_ATTACKS_HONEST_H
#define TESTS_ATTACKS_HONEST_H

#include "tests/attacks/attacks.h"

#include <stdatomic.h>

#define HONEST_SAMPLES 32768u

enum honest_kind {
	HONEST_CALL,	 /* one read of config space */
	HONEST_TRANSFER, /* 4 KiB written or read, with the interrupt */
	HONEST_VISIT,	 /* a new client: connect, claim, register, probe, disconnect */
	HONEST_KINDS,
};

/* The last HONEST_SAMPLES of an operation. */
struct honest_samples {
	atomic_uint count;
	uint32_t microseconds[HONEST_SAMPLES];
};

/* Shared by the runner and the client's process. */
struct honest_board {
	atomic_bool stop;
	atomic_bool attacked; /* selects the samples to add to */
	atomic_uint cycles;   /* completed cycles of all operations */
	char failure[160];    /* the failure; "" if there is none */
	struct honest_samples samples[2][HONEST_KINDS];
};

struct honest {
	pid_t process;
	struct honest_board *board;
};

/* Start it; all its resources are claimed and set up on return. */
bool honest_start(struct honest *honest, const struct victim *victim);
/* Wait until it has completed @cycles more. Return: false when it has failed, or hangs. */
bool honest_progresses(struct honest *honest, unsigned cycles);
/* Stop it. Return: false when it has failed at any time; honest_why() returns the reason. */
bool honest_stop(struct honest *honest);
const char *honest_why(const struct honest *honest);
/* The @percent-th percentile, in microseconds; 0 without samples. */
unsigned honest_percentile(
	const struct honest *honest, bool attacked, enum honest_kind kind, unsigned percent);
void honest_free(struct honest *honest);

#endif
