/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl trace: the calls that the driver carries out, live. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/terminal.h"
#include "tools/dextctl/trace.h"

#include <inttypes.h>
#include <stdlib.h>

#define POLL_MS 20

struct tracer {
	const struct ctl_device *device;
	const struct ctl_options *options;
	struct ring ring;
	uint64_t to_realtime; /* from CLOCK_MONOTONIC */
	uint64_t shown, missed;
	AppleDextClientInfo *clients;
	size_t client_count;
	bool clients_asked; /* since the last wait */
};

static const AppleDextClientInfo *find_client(const struct tracer *tracer, uint32_t number)
{
	for (size_t i = 0; i < tracer->client_count; i++)
		if (tracer->clients[i].client == number)
			return &tracer->clients[i];
	return NULL;
}

static void ask_for_clients(struct tracer *tracer)
{
	AppleDextClientInfo *clients;
	size_t count;

	tracer->clients_asked = true;
	if (apple_dext_copy_clients(tracer->device->connection, &clients, &count) !=
		kIOReturnSuccess)
		return;
	free(tracer->clients);
	tracer->clients = clients;
	tracer->client_count = count;
}

/* One that is not known has come since; or it has gone already, and stays unknown. */
static const AppleDextClientInfo *look_client_up(struct tracer *tracer, uint32_t number)
{
	const AppleDextClientInfo *client = find_client(tracer, number);

	if (client || tracer->clients_asked)
		return client;
	ask_for_clients(tracer);
	return find_client(tracer, number);
}

static bool enough(const struct tracer *tracer)
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
	const AppleDextClientInfo *client = look_client_up(tracer, entry->client);
	struct traced traced = {
		.address = tracer->device->name,
		.pid = client ? client->pid : 0,
		.began = entry->began + tracer->to_realtime,
		.entry = entry,
	};

	/* What this command asks of the driver itself is not of interest. */
	if (client && client->is_caller)
		return;
	tracer->shown++;
	if (tracer->options->json)
		json_print_line(traced_json(&traced));
	else
		traced_print(&traced, stdout);
}

/* All that is in the ring, or as much as is wanted. */
static void take(struct tracer *tracer)
{
	struct dext_trace_entry entry;
	enum ring_read read;
	uint64_t missed;

	tracer->clients_asked = false;
	while (!enough(tracer) &&
		(read = ring_read(&tracer->ring, &entry, &missed)) != RING_EMPTY) {
		if (read == RING_ENTRY)
			show(tracer, &entry);
		else
			show_missed(tracer, missed);
	}
	fflush(stdout);
}

/* Until a signal, the count, or the end of the driver, whose last calls are shown too. */
static kern_return_t follow(struct tracer *tracer)
{
	kern_return_t result = kIOReturnSuccess;
	bool end = false;

	for (unsigned polls = 1; !end; polls++) {
		end = ctl_wait(POLL_MS);
		if (polls % (CTL_ALIVE_MS / POLL_MS) == 0)
			result = ctl_alive(tracer->device);
		take(tracer);
		end |= result != kIOReturnSuccess || enough(tracer) || ferror(stdout);
	}
	return result;
}

static enum ctl_exit trace_mapped(struct tracer *tracer, const struct dext_trace *trace)
{
	kern_return_t result;

	tracer->to_realtime = clock_now(CLOCK_REALTIME) - clock_now(CLOCK_MONOTONIC);
	ask_for_clients(tracer);
	ring_begin(&tracer->ring, trace);
	ctl_note(tracer->device, "tracing; Ctrl-C ends it");
	if (!tracer->options->json)
		traced_print_head(stdout);
	fflush(stdout);
	result = follow(tracer);
	free(tracer->clients);
	if (tracer->missed)
		ctl_note(tracer->device,
			"%" PRIu64
			" call%s lost: the driver keeps the last %u, and more came before "
			"they were read",
			tracer->missed, tracer->missed == 1 ? " was" : "s were",
			DEXT_TRACE_ENTRIES);
	if (result != kIOReturnSuccess)
		return ctl_fail(tracer->device, result, "tracing ended");
	return CTL_OK;
}

static enum ctl_exit trace(const struct ctl_options *options, char **arguments)
{
	struct tracer tracer = { .options = options };
	mach_vm_address_t address;
	struct ctl_device device;
	kern_return_t result;
	enum ctl_exit status = ctl_open(arguments[0], &device);

	if (status != CTL_OK)
		return status;
	tracer.device = &device;
	result = apple_dext_map_trace(device.connection, &address);
	if (result != kIOReturnSuccess) {
		status = ctl_fail(&device, result, "cannot be traced");
	} else {
		status = CTL_FAILED;
		if (ctl_catch_signals())
			status = trace_mapped(
				&tracer, (const struct dext_trace *)(uintptr_t)address);
		(void)apple_dext_unmap_trace(device.connection, address);
	}
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_trace = {
	.name = "trace",
	.arguments = "ADDR",
	.min_arguments = 1,
	.max_arguments = 1,
	.options = CTL_TAKES_COUNT,
	.summary = "print each call of a device's clients as it comes",
	.help = "Print each call that the driver carries out for a device, one a line: when it\n"
		"began, whose it was, how long it took, its arguments, its status and what it\n"
		"returned; until Ctrl-C or --count. Mapped BARs are reached without calls and\n"
		"not seen here. Nothing is claimed. Where calls come faster than they can be\n"
		"read, a line tells how many are not shown, and at the end a note how many they\n"
		"were in all. With --json there is one object a\n"
		"line.\n",
	.examples = "dextctl trace 01:00.0\n"
		    "dextctl trace 01:00.0 --json | jq 'select(.status != \"0x00000000\")'\n",
	.run = trace,
};
