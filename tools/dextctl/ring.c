/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl/trace.h"

#include <stddef.h>
#include <string.h>

#define WORDS (sizeof(struct dext_trace_entry) / sizeof(uint64_t))

_Static_assert(sizeof(struct dext_trace_entry) % sizeof(uint64_t) == 0, "entries are whole words");

static uint64_t written(const struct dext_trace *trace)
{
	return __atomic_load_n(&trace->next, __ATOMIC_ACQUIRE);
}

void ring_begin(struct ring *ring, const struct dext_trace *trace)
{
	*ring = (struct ring){ .trace = trace, .next = written(trace) };
}

/*
 * The sequence is read before and after the words: when it is the same, nobody wrote
 * between. The words are read atomically, each by itself, as they may be being written,
 * and with acquire, so that no later read comes before them.
 */
static uint64_t copy(const struct dext_trace_entry *slot, struct dext_trace_entry *entry)
{
	const uint64_t *from = (const uint64_t *)slot;
	uint64_t words[WORDS];

	words[0] = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
	for (size_t i = 1; i < WORDS; i++)
		words[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) != words[0])
		words[0] = 0;
	memcpy(entry, words, sizeof(words));
	return words[0];
}

static enum ring_read skip_to(struct ring *ring, uint64_t next, uint64_t *missed)
{
	*missed = next - ring->next;
	ring->next = next;
	return RING_MISSED;
}

enum ring_read ring_read(struct ring *ring, struct dext_trace_entry *entry, uint64_t *missed)
{
	uint64_t end = written(ring->trace), ready = end - ring->next, sequence;

	if (!ready)
		return RING_EMPTY;
	/* Only a driver that has begun anew counts backwards. */
	if (ready > UINT64_MAX / 2) {
		ring->next = end;
		return RING_EMPTY;
	}
	if (ready > DEXT_TRACE_ENTRIES)
		return skip_to(ring, end - DEXT_TRACE_ENTRIES, missed);
	sequence = copy(&ring->trace->entries[ring->next % DEXT_TRACE_ENTRIES], entry);
	if (sequence == ring->next + 1) {
		ring->next++;
		return RING_ENTRY;
	}
	/* A later one is in its place: it was overwritten since the end was read. */
	if (sequence > ring->next + 1)
		return skip_to(ring, ring->next + 1, missed);
	return RING_EMPTY;
}
