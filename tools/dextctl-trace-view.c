/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-trace-view.h"
#include "tools/dextctl.h"
#include "tools/dextctl-clock.h"
#include "tools/dextctl-json.h"
#include "tools/dextctl-process.h"
#include "tools/dextctl-selectors.h"

#include <inttypes.h>

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
