/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl trace: print the calls that the driver executes, live. */
#include "tools/dextctl/trace.h"
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- Names ---------------------------------------------------------------------------- */

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

/* Arguments and results, as many as a trace entry has, in the order of the ABI. */
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
	{ DEXT_SELECTOR_GetMemoryStatus, { { "memory_type" }, { "status" } } },
	{ DEXT_SELECTOR_ConfigReadBlock, { { "offset", "length" }, { NULL } } },
	{ DEXT_SELECTOR_RegisterDMAFile, { { "iova", "file_offset", "size", "flags" },
						 { "segments", "bus_address", "bus_length" } } },
	{ DEXT_SELECTOR_SetInterruptEventfds, { { "first", "count" }, { NULL } } },
};

const char *scalar_name(uint32_t selector, enum scalar_direction direction, size_t index,
	char text[SCALAR_NAME_SIZE])
{
	const char *name = NULL;

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if ((uint32_t)meanings[i].selector == selector && index < DEXT_TRACE_SCALARS)
			name = meanings[i].names[direction][index];
	if (name)
		snprintf(text, SCALAR_NAME_SIZE, "%s", name);
	else
		snprintf(text, SCALAR_NAME_SIZE, "%s%u", direction == SCALAR_IN ? "arg" : "result",
			(unsigned)index % 1000);
	return text;
}

/* --- A call, as text and as JSON ---------------------------------------------------------- */

/* Set @total to the number of scalars. Return: the number of those that the entry has. */
static size_t scalars(const struct dext_trace_entry *entry, enum scalar_direction direction,
	const uint64_t **values, uint16_t *total)
{
	*values = direction == SCALAR_IN ? entry->in : entry->out;
	*total = direction == SCALAR_IN ? entry->in_count : entry->out_count;
	return *total < DEXT_TRACE_SCALARS ? *total : DEXT_TRACE_SCALARS;
}

/* "offset=0x10, width=4", and "..." if there are more. */
static void print_scalars(
	const struct dext_trace_entry *entry, enum scalar_direction direction, FILE *out)
{
	char name[SCALAR_NAME_SIZE];
	const uint64_t *values;
	uint16_t total;
	size_t count = scalars(entry, direction, &values, &total);

	for (size_t i = 0; i < count; i++)
		/* A single digit is the same in hex and decimal. */
		fprintf(out, values[i] < 10 ? "%s%s=%" PRIx64 : "%s%s=0x%" PRIx64, i ? ", " : "",
			scalar_name(entry->selector, direction, i, name), values[i]);
	if (count < total)
		fputs(", ...", out);
}

void traced_print(const struct traced *traced, FILE *out)
{
	const struct dext_trace_entry *entry = traced->entry;
	char time[CLOCK_TEXT_SIZE], took[CLOCK_DURATION_SIZE], pid[PROCESS_ID_SIZE];
	const char *selector = selector_name(entry->selector);
	const char *status = ctl_status_name(entry->status);

	clock_format(traced->began, 6, time);
	clock_format_duration(entry->took, took);
	fprintf(out, "%s  %6" PRIu32 "  %7s  %8s  ", time, entry->client,
		process_id(traced->pid, pid), took);
	if (selector)
		fprintf(out, "%s(", selector);
	else
		fprintf(out, "selector 0x%" PRIx32 "(", entry->selector);
	print_scalars(entry, SCALAR_IN, out);
	if (status)
		fprintf(out, ") = %s", status);
	else
		fprintf(out, ") = 0x%08x", (unsigned)entry->status);
	if (entry->out_count)
		fputs(": ", out);
	print_scalars(entry, SCALAR_OUT, out);
	fputc('\n', out);
}

static void put_scalars(struct json_object *object, const char *key,
	const struct dext_trace_entry *entry, enum scalar_direction direction)
{
	struct json_object *named = json_put_object(object, key);
	char name[SCALAR_NAME_SIZE];
	const uint64_t *values;
	uint16_t total;
	size_t count = scalars(entry, direction, &values, &total);

	for (size_t i = 0; i < count; i++)
		json_put_hex(
			named, scalar_name(entry->selector, direction, i, name), 16, values[i]);
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
	json_put_text(object, "status_name", ctl_status_name(entry->status));
	return object;
}

/* --- The ring ------------------------------------------------------------------------ */

#define WORDS (sizeof(struct dext_trace_entry) / sizeof(uint64_t))

_Static_assert(sizeof(struct dext_trace_entry) % sizeof(uint64_t) == 0, "entries are whole words");

static uint64_t entries_written(const struct dext_trace *trace)
{
	return __atomic_load_n(&trace->next, __ATOMIC_ACQUIRE);
}

void ring_begin(struct ring *ring, const struct dext_trace *trace)
{
	*ring = (struct ring){ .trace = trace, .next = entries_written(trace) };
}

/*
 * Copy an entry. Return: its sequence number; 0 if it was written meanwhile, which changes the
 * number. Each word is read atomically, since the driver may be writing it, and with acquire
 * order, so that the number is read again after all of them.
 */
static uint64_t copy_entry(const struct dext_trace_entry *slot, struct dext_trace_entry *entry)
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
	uint64_t end = entries_written(ring->trace), ready = end - ring->next, sequence;

	if (!ready)
		return RING_EMPTY;
	/* The count only decreases if a new driver has started the trace again. */
	if (ready > UINT64_MAX / 2) {
		ring->next = end;
		return RING_EMPTY;
	}
	if (ready > DEXT_TRACE_ENTRIES)
		return skip_to(ring, end - DEXT_TRACE_ENTRIES, missed);
	sequence = copy_entry(&ring->trace->entries[ring->next % DEXT_TRACE_ENTRIES], entry);
	if (sequence == ring->next + 1) {
		ring->next++;
		return RING_ENTRY;
	}
	/* A later entry is in its place: it was overwritten after @end was read. */
	if (sequence > ring->next + 1)
		return skip_to(ring, ring->next + 1, missed);
	return RING_EMPTY;
}

/* --- The command ------------------------------------------------------------------------ */

#define POLL_MS 20

struct tracer {
	const struct ctl_device *device;
	const struct ctl_options *options;
	struct ring ring;
	uint64_t to_realtime; /* what to add to CLOCK_MONOTONIC */
	uint64_t shown, missed;
	AppleDextClientInfo *clients;
	size_t client_count;
	bool clients_are_new; /* they were read after the last wait */
};

static void read_clients(struct tracer *tracer)
{
	AppleDextClientInfo *clients;
	size_t count;

	tracer->clients_are_new = true;
	if (apple_dext_copy_clients(tracer->device->connection, &clients, &count) !=
		kIOReturnSuccess)
		return;
	free(tracer->clients);
	tracer->clients = clients;
	tracer->client_count = count;
}

/*
 * Find a client by its number. An unknown one has connected since the clients were read, so they
 * are read again. NULL: it has disconnected already.
 */
static const AppleDextClientInfo *find_client(struct tracer *tracer, uint32_t number)
{
	for (;;) {
		for (size_t i = 0; i < tracer->client_count; i++)
			if (tracer->clients[i].client == number)
				return &tracer->clients[i];
		if (tracer->clients_are_new)
			return NULL;
		read_clients(tracer);
	}
}

static bool is_complete(const struct tracer *tracer)
{
	return tracer->options->count && tracer->shown >= tracer->options->count;
}

static void show_missed(struct tracer *tracer, uint64_t missed)
{
	struct json_object *object;

	tracer->missed += missed;
	if (!tracer->options->json) {
		printf("(%" PRIu64 " call%s not shown)\n", missed, missed == 1 ? "" : "s");
		return;
	}
	object = json_new_object();
	json_put_text(object, "address", tracer->device->name);
	json_put_number(object, "missed", missed);
	json_put_number(object, "missed_total", tracer->missed);
	json_print_line(object);
}

static void show(struct tracer *tracer, const struct dext_trace_entry *entry)
{
	const AppleDextClientInfo *client = find_client(tracer, entry->client);
	struct traced traced = {
		.address = tracer->device->name,
		.pid = client ? client->pid : 0,
		.began = entry->began + tracer->to_realtime,
		.entry = entry,
	};

	/* Calls of this command itself are not shown. */
	if (client && client->is_caller)
		return;
	tracer->shown++;
	if (tracer->options->json)
		json_print_line(traced_json(&traced));
	else
		traced_print(&traced, stdout);
}

static void show_new_entries(struct tracer *tracer)
{
	struct dext_trace_entry entry;
	enum ring_read read;
	uint64_t missed;

	tracer->clients_are_new = false;
	while (!is_complete(tracer) &&
		(read = ring_read(&tracer->ring, &entry, &missed)) != RING_EMPTY) {
		if (read == RING_ENTRY)
			show(tracer, &entry);
		else
			show_missed(tracer, missed);
	}
	fflush(stdout);
}

static enum ctl_exit follow(struct tracer *tracer, const struct dext_trace *trace)
{
	kern_return_t status = kIOReturnSuccess;
	bool end = false;

	tracer->to_realtime = clock_now(CLOCK_REALTIME) - clock_now(CLOCK_MONOTONIC);
	read_clients(tracer);
	ring_begin(&tracer->ring, trace);
	ctl_note(tracer->device, "tracing; Ctrl-C ends it");
	if (!tracer->options->json)
		puts("TIME             CLIENT      PID      TOOK  CALL");
	fflush(stdout);
	/* Until a signal, the count, or the end of the driver, whose last calls are shown too. */
	for (unsigned polls = 1; !end; polls++) {
		end = ctl_wait(POLL_MS);
		if (polls % (CTL_ALIVE_MS / POLL_MS) == 0)
			status = ctl_alive(tracer->device);
		show_new_entries(tracer);
		end |= status != kIOReturnSuccess || is_complete(tracer) || ferror(stdout);
	}
	free(tracer->clients);
	if (tracer->missed)
		ctl_note(tracer->device,
			"%" PRIu64
			" call%s lost: the driver stores the last %u, and more were made before "
			"they were read",
			tracer->missed, tracer->missed == 1 ? " was" : "s were",
			DEXT_TRACE_ENTRIES);
	if (status != kIOReturnSuccess)
		return ctl_fail(tracer->device, status, "tracing ended");
	return CTL_OK;
}

static enum ctl_exit trace(const struct ctl_options *options, char **arguments)
{
	struct tracer tracer = { .options = options };
	mach_vm_address_t address;
	struct ctl_device device;
	kern_return_t status;
	enum ctl_exit exit_status = ctl_open(arguments[0], &device);

	if (exit_status != CTL_OK)
		return exit_status;
	tracer.device = &device;
	status = apple_dext_map_trace(device.connection, &address);
	if (status != kIOReturnSuccess) {
		exit_status = ctl_fail(&device, status, "cannot be traced");
	} else {
		exit_status = CTL_FAILED;
		if (ctl_catch_signals())
			exit_status =
				follow(&tracer, (const struct dext_trace *)(uintptr_t)address);
		(void)apple_dext_unmap_trace(device.connection, address);
	}
	ctl_close(&device);
	return exit_status;
}

const struct ctl_command ctl_trace = {
	.name = "trace",
	.arguments = "ADDR",
	.options = CTL_TAKES_COUNT,
	.summary = "print the calls of clients, live",
	.help = "Print each call that the driver executes for a device, one per line: when it\n"
		"began, its client, how long it took, its arguments, status and results; until\n"
		"Ctrl-C or --count. Accesses to a mapped BAR are not calls and not shown. The\n"
		"device is not claimed. If calls are made faster than they are read, a line gives\n"
		"the number of calls that are not shown, and a note at the end their total. With\n"
		"--json there is one object per line.\n",
	.examples = "dextctl trace 01:00.0\n"
		    "dextctl trace 01:00.0 --json | jq 'select(.status != \"0x00000000\")'\n",
	.run = trace,
};
