/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The honest client: a process that works with an NVMe device of its own, reads what it has
 * written, takes interrupts, and, on dextd, comes as a new client again and again. It says
 * what failed, and how long things took.
 */
#ifndef TESTS_ATTACKS_HONEST_H
#define TESTS_ATTACKS_HONEST_H

#include "tests/attacks/attacks.h"

#include <stdatomic.h>

#define HONEST_SAMPLES 32768u

enum honest_kind {
	HONEST_CALL,	 /* one read of config space */
	HONEST_TRANSFER, /* 4 KiB written, with the interrupt, or read */
	HONEST_VISIT,	 /* a new client: connect, claim, register, probe, leave */
	HONEST_KINDS,
};

/* The last HONEST_SAMPLES of them. */
struct honest_samples {
	atomic_uint count;
	uint32_t microseconds[HONEST_SAMPLES];
};

/* Shared by the runner and the client's process. */
struct honest_board {
	atomic_bool stop;
	atomic_bool attacked; /* which of the samples are added to */
	atomic_uint cycles;   /* so many have been completed, each with everything in it */
	char failure[160];    /* what was lost; "" as long as nothing is */
	struct honest_samples samples[2][HONEST_KINDS];
};

struct honest {
	pid_t process;
	struct honest_board *board;
};

/* Start it, with all that it needs claimed and set up. */
bool honest_start(struct honest *honest, const struct victim *victim);
/* Wait until it has completed @cycles more. False: it has lost something, or hangs. */
bool honest_progresses(struct honest *honest, unsigned cycles);
/* End it. False when it has lost something at any time; honest_why() says what. */
bool honest_stop(struct honest *honest);
const char *honest_why(const struct honest *honest);
/* The @percent-th percentile, in microseconds; 0 without samples. */
unsigned honest_percentile(
	const struct honest *honest, bool attacked, enum honest_kind kind, unsigned percent);
void honest_free(struct honest *honest);

#endif
