/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides from past waits whether to poll before sleeping. Polling begins after @needed
 * consecutive waits that were shorter than the longest poll. Each poll without a result
 * doubles @needed; POLL_POLICY_FORGET polls with a result reset it. Not thread-safe.
 */
#ifndef COMMON_POLL_POLICY_H
#define COMMON_POLL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLL_POLICY_MIN 2u
#define POLL_POLICY_MAX 1024u
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
	policy->short_waits = was_short ? policy->short_waits + 1 : 0;
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

#endif
