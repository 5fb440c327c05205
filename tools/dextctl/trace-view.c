/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls of the trace in words: selectors, what their scalars mean, one line a call. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/trace.h"

#include <dext-abi.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

const char *selector_name(uint32_t selector)
{
	static const struct {
		uint32_t number;
		const char *name;
	} selectors[] = {
#define SELECTOR_NAME(number, name, in, out, needs) { number, #name },
		DEXT_SELECTORS(SELECTOR_NAME) DEXT_EXTENSION_SELECTORS(SELECTOR_NAME)
#undef SELECTOR_NAME
	};

	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
		if (selectors[i].number == selector)
			return selectors[i].name;
	return NULL;
}

/* As many of each as a trace keeps, in the order of the ABI. */
static const struct {
	enum dext_selector selector;
	const char *names[2][DEXT_TRACE_SCALARS];
} meanings[] = {
	{ DEXT_SELECTOR_GetIdentity, { { NULL }, { "bus", "device", "function", "vendor_id" } } },
	{ DEXT_SELECTOR_GetStatus,
		{ { NULL }, { "claims", "flags", "vectors", "interrupt_kind" } } },
	{ DEXT_SELECTOR_AllocateDMABuffer,
		{ { "size", "alignment" }, { "size", "flags", "segments", "bus_address" } } },
	{ DEXT_SELECTOR_RegisterDMARegion,
		{ { "iova", "client_va", "size" }, { "segments", "bus_address", "bus_length" } } },
	{ DEXT_SELECTOR_UnregisterDMARegion, { { "iova" }, { NULL } } },
	{ DEXT_SELECTOR_ProbeDMARegion, { { "iova", "offset" }, { "word" } } },
	{ DEXT_SELECTOR_ConfigRead, { { "offset", "width" }, { "value" } } },
	{ DEXT_SELECTOR_ConfigWrite, { { "offset", "width", "value" }, { NULL } } },
	{ DEXT_SELECTOR_GetBARInfo, { { "bar" }, { "memory_index", "size", "type" } } },
	{ DEXT_SELECTOR_MMIORead, { { "memory_index", "offset", "width" }, { "value" } } },
	{ DEXT_SELECTOR_MMIOWrite, { { "memory_index", "offset", "width", "value" }, { NULL } } },
	{ DEXT_SELECTOR_SetupInterrupts, { { NULL }, { "vectors" } } },
	{ DEXT_SELECTOR_CheckInterrupt,
		{ { NULL }, { "pending0", "pending1", "pending2", "pending3" } } },
	{ DEXT_SELECTOR_SetIRQMask,
		{ { "enabled0", "enabled1", "enabled2", "enabled3" }, { NULL } } },
	{ DEXT_SELECTOR_GetDMASegments, { { "iova", "first" }, { "segments", "given" } } },
	{ DEXT_SELECTOR_GetDMALimits, { { NULL }, { "iommu", "bytes", "maps", "bytes_used" } } },
	{ DEXT_SELECTOR_GetDMARegions, { { "first" }, { "regions" } } },
	{ DEXT_SELECTOR_GetClients, { { "first" }, { "clients" } } },
	{ DEXT_SELECTOR_TriggerInterrupt, { { "vector" }, { NULL } } },
};

static const char *find_meaning(uint32_t selector, enum scalar_way way, size_t index)
{
	if (index >= DEXT_TRACE_SCALARS)
		return NULL;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if ((uint32_t)meanings[i].selector == selector)
			return meanings[i].names[way][index];
	return NULL;
}

const char *scalar_name(
	uint32_t selector, enum scalar_way way, size_t index, char text[SCALAR_NAME_SIZE])
{
	const char *name = find_meaning(selector, way, index);

	if (name)
		snprintf(text, SCALAR_NAME_SIZE, "%s", name);
	else
		snprintf(text, SCALAR_NAME_SIZE, "%s%u", way == SCALAR_IN ? "arg" : "result",
			(unsigned)index % 1000);
	return text;
}

/* How many scalars of a call the trace has. */
static size_t kept(uint16_t count)
{
	return count < DEXT_TRACE_SCALARS ? count : DEXT_TRACE_SCALARS;
}

static const uint64_t *scalars(
	const struct dext_trace_entry *entry, enum scalar_way way, uint16_t *count)
{
	*count = way == SCALAR_IN ? entry->in_count : entry->out_count;
	return way == SCALAR_IN ? entry->in : entry->out;
}

/* "offset=0x10, width=4", and "..." for what was not kept. */
static void print_scalars(const struct dext_trace_entry *entry, enum scalar_way way, FILE *out)
{
	char name[SCALAR_NAME_SIZE];
	uint16_t count;
	const uint64_t *values = scalars(entry, way, &count);

	for (size_t i = 0; i < kept(count); i++)
		/* A single digit is the same in hex and decimal. */
		fprintf(out, values[i] < 10 ? "%s%s=%" PRIx64 : "%s%s=0x%" PRIx64, i ? ", " : "",
			scalar_name(entry->selector, way, i, name), values[i]);
	if (count > DEXT_TRACE_SCALARS)
		fputs(", ...", out);
}

static void format_result(int32_t status, char text[32])
{
	const char *name = ctl_result_name(status);

	if (name)
		snprintf(text, 32, "%s", name);
	else
		snprintf(text, 32, "0x%08x", (unsigned)status);
}

static void format_selector(uint32_t selector, char text[32])
{
	const char *name = selector_name(selector);

	if (name)
		snprintf(text, 32, "%s", name);
	else
		snprintf(text, 32, "selector 0x%" PRIx32, selector);
}

void traced_print_head(FILE *out)
{
	fputs("TIME             CLIENT      PID      TOOK  CALL\n", out);
}

void traced_print(const struct traced *traced, FILE *out)
{
	const struct dext_trace_entry *entry = traced->entry;
	char time[CLOCK_TEXT_SIZE], took[CLOCK_DURATION_SIZE], pid[PROCESS_ID_SIZE];
	char selector[32], result[32];

	clock_format(traced->began, 6, time);
	clock_format_duration(entry->took, took);
	format_selector(entry->selector, selector);
	format_result(entry->status, result);
	fprintf(out, "%s  %6" PRIu32 "  %7s  %8s  %s(", time, entry->client,
		process_id(traced->pid, pid), took, selector);
	print_scalars(entry, SCALAR_IN, out);
	fprintf(out, ") = %s%s", result, entry->out_count ? ": " : "");
	print_scalars(entry, SCALAR_OUT, out);
	fputc('\n', out);
}

static void put_scalars(struct json_object *object, const char *key,
	const struct dext_trace_entry *entry, enum scalar_way way)
{
	struct json_object *named = json_put_object(object, key);
	char name[SCALAR_NAME_SIZE];
	uint16_t count;
	const uint64_t *values = scalars(entry, way, &count);

	for (size_t i = 0; i < kept(count); i++)
		json_put_hex(named, scalar_name(entry->selector, way, i, name), 16, values[i]);
}

struct json_object *traced_json(const struct traced *traced)
{
	const struct dext_trace_entry *entry = traced->entry;
	struct json_object *object = json_new_object();
	char time[CLOCK_TEXT_SIZE];

	clock_format(traced->began, 6, time);
	json_put_text(object, "address", traced->address);
	json_put_text(object, "time", time);
	json_put_number(object, "began_ns", entry->began);
	json_put_number(object, "took_ns", entry->took);
	json_put_number(object, "client", entry->client);
	json_put_pid(object, "pid", traced->pid);
	json_put_number(object, "selector", entry->selector);
	json_put_text(object, "call", selector_name(entry->selector));
	put_scalars(object, "in", entry, SCALAR_IN);
	put_scalars(object, "out", entry, SCALAR_OUT);
	json_put_number(object, "in_count", entry->in_count);
	json_put_number(object, "out_count", entry->out_count);
	json_put_hex(object, "status", 8, (uint32_t)entry->status);
	json_put_text(object, "status_name", ctl_result_name(entry->status));
	return object;
}

/* --- The ring ------------------------------------------------------------------------ */

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
