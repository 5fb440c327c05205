/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides from past waits whether to poll before sleeping. Polling begins after @needed waits
 * that were shorter than the longest poll; a longer one takes POLL_POLICY_LONG of them back, so
 * that a few among many, on a busy machine, do not prevent polling. Each poll without a result
 * doubles @needed; POLL_POLICY_FORGET polls with a result reset it. Not thread-safe.
 */
#ifndef COMMON_POLL_POLICY_H
#define COMMON_POLL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLL_POLICY_MIN	 2u
#define POLL_POLICY_MAX	 1024u
#define POLL_POLICY_LONG 16u
/* Consecutive polls with a result that reset @needed. */
#define POLL_POLICY_FORGET 16u

struct poll_policy {
	unsigned needed, short_waits, hits;
};

static inline void poll_policy_init(struct poll_policy *policy)
{
	*policy = (struct poll_policy){ .needed = POLL_POLICY_MIN };
}

/* A wait without polling has ended. */
static inline void poll_policy_waited(struct poll_policy *policy, bool was_short)
{
	if (was_short)
		policy->short_waits++;
	else
		policy->short_waits -= policy->short_waits < POLL_POLICY_LONG ?
					       policy->short_waits :
					       POLL_POLICY_LONG;
}

static inline bool poll_policy_polls(const struct poll_policy *policy)
{
	return policy->short_waits >= policy->needed;
}

/* A poll had a result. */
static inline void poll_policy_hit(struct poll_policy *policy)
{
	if (policy->needed > POLL_POLICY_MIN && ++policy->hits >= POLL_POLICY_FORGET) {
		policy->needed = POLL_POLICY_MIN;
		policy->hits = 0;
	}
}

/* A poll had no result. */
static inline void poll_policy_miss(struct poll_policy *policy)
{
	policy->hits = 0;
	policy->short_waits = 0;
	if (policy->needed < POLL_POLICY_MAX)
		policy->needed *= 2;
}

/*
 * How long a poll may take where waits differ much between peers: POLL_SPAN_FACTOR times the
 * average of past waits, within limits. Waits of more than @max_ns are not averaged: no poll
 * would have been long enough.
 */
#define POLL_SPAN_FACTOR 8u
/* How much one wait changes the average. */
#define POLL_SPAN_PART 8

struct poll_span {
	uint64_t min_ns, max_ns;
	uint64_t average_ns;
};

static inline void poll_span_init(struct poll_span *span, uint64_t min_ns, uint64_t max_ns)
{
	*span = (struct poll_span){ min_ns, max_ns, min_ns / POLL_SPAN_FACTOR };
}

static inline uint64_t poll_span_ns(const struct poll_span *span)
{
	uint64_t ns = span->average_ns * POLL_SPAN_FACTOR;

	return ns < span->min_ns ? span->min_ns : ns > span->max_ns ? span->max_ns : ns;
}

/* A wait has ended, with polling or without. */
static inline void poll_span_waited(struct poll_span *span, uint64_t ns)
{
	if (ns <= span->max_ns)
		span->average_ns = (span->average_ns * (POLL_SPAN_PART - 1) + ns) / POLL_SPAN_PART;
}

#endif
