/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl top: show the activity of clients, live. */
#include "tools/dextctl/top.h"
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- Rates ---------------------------------------------------------------------------- */

/* The counters of a client; all 0 if it is not in @sample. */
static AppleDextClientInfo find(const struct rates_sample *sample, uint32_t number)
{
	for (size_t i = 0; i < sample->count; i++)
		if (sample->clients[i].client == number)
			return sample->clients[i];
	return (AppleDextClientInfo){ .client = number };
}

static double per_second(uint64_t before, uint64_t now, uint64_t nanoseconds)
{
	if (now <= before || !nanoseconds)
		return 0;
	return (double)(now - before) * (double)CLOCK_SECOND / (double)nanoseconds;
}

void rates_add(struct rates *rates, const char *address, const struct rates_sample *before,
	const struct rates_sample *now)
{
	uint64_t passed = now->taken - before->taken;
	struct rate *larger = cli_allocate((rates->count + now->count + 1) * sizeof(*larger));

	if (rates->count)
		memcpy(larger, rates->rates, rates->count * sizeof(*larger));
	free(rates->rates);
	rates->rates = larger;
	for (size_t i = 0; i < now->count; i++) {
		const AppleDextClientInfo *client = &now->clients[i];
		AppleDextClientInfo earlier = find(before, client->client);

		if (client->is_caller)
			continue;
		rates->rates[rates->count++] = (struct rate){
			.address = address,
			.client = *client,
			.calls = per_second(earlier.calls, client->calls, passed),
			.interrupts = per_second(earlier.interrupts, client->interrupts, passed),
		};
	}
}

static int compare(const void *a, const void *b)
{
	const struct rate *x = a, *y = b;

	if (x->calls != y->calls)
		return x->calls < y->calls ? 1 : -1;
	if (x->interrupts != y->interrupts)
		return x->interrupts < y->interrupts ? 1 : -1;
	if (strcmp(x->address, y->address) != 0)
		return strcmp(x->address, y->address);
	return (x->client.client > y->client.client) - (x->client.client < y->client.client);
}

void rates_sort(struct rates *rates)
{
	if (rates->count)
		qsort(rates->rates, rates->count, sizeof(*rates->rates), compare);
}

void rates_sum(const struct rates *rates, double *calls, double *interrupts)
{
	*calls = *interrupts = 0;
	for (size_t i = 0; i < rates->count; i++) {
		*calls += rates->rates[i].calls;
		*interrupts += rates->rates[i].interrupts;
	}
}

void rates_free(struct rates *rates)
{
	free(rates->rates);
	*rates = (struct rates){ .rates = NULL };
}

static const char *claim(const AppleDextClientInfo *client)
{
	if (client->exclusive)
		return "exclusive";
	return client->claimed ? "claimed" : "none";
}

static void add_row(struct cli_table *table, const struct rate *rate)
{
	const AppleDextClientInfo *client = &rate->client;
	char number[16], pid[PROCESS_ID_SIZE], name[PROCESS_NAME_SIZE], calls[32], interrupts[32];
	char regions[16], wired[CLI_SIZE_SIZE];
	const char *command = process_name(client->pid, name);

	snprintf(number, sizeof(number), "%" PRIu32, client->client);
	snprintf(calls, sizeof(calls), "%9.1f", rate->calls);
	snprintf(interrupts, sizeof(interrupts), "%9.1f", rate->interrupts);
	snprintf(regions, sizeof(regions), "%7" PRIu32, client->regions);
	cli_format_size(client->bytes_wired, wired);
	cli_table_add(table, (const char *[]){ rate->address, number, process_id(client->pid, pid),
				     claim(client), calls, interrupts, regions, wired,
				     command ? command : "-" });
}

void top_print(const struct rates *rates, const char *time, FILE *out)
{
	static const char *const heads[] = { "ADDRESS", "CLIENT", "PID", "CLAIM", "  CALLS/S",
		"   IRQS/S", "REGIONS", "WIRED", "COMMAND" };
	struct cli_table table = CLI_TABLE(heads);
	double calls, interrupts;

	rates_sum(rates, &calls, &interrupts);
	fprintf(out, "%s  %zu client%s, %.1f calls/s, %.1f interrupts/s\n", time, rates->count,
		rates->count == 1 ? "" : "s", calls, interrupts);
	for (size_t i = 0; i < rates->count; i++)
		add_row(&table, &rates->rates[i]);
	cli_table_print(&table, out);
	cli_table_free(&table);
}

struct json_object *top_json(const struct rates *rates, const char *time)
{
	struct json_object *object = json_new_object(), *clients;

	json_put_text(object, "time", time);
	clients = json_put_array(object, "clients");
	for (const struct rate *rate = rates->rates; rate < rates->rates + rates->count; rate++) {
		struct json_object *row = json_add_object(clients);
		const AppleDextClientInfo *client = &rate->client;
		char name[PROCESS_NAME_SIZE];

		json_put_text(row, "address", rate->address);
		json_put_number(row, "client", client->client);
		json_put_pid(row, "pid", client->pid);
		json_put_text(row, "command", process_name(client->pid, name));
		json_put_text(row, "claim", claim(client));
		json_put_bool(row, "takes_interrupts", client->takes_interrupts);
		json_put_rate(row, "calls_per_second", rate->calls);
		json_put_rate(row, "interrupts_per_second", rate->interrupts);
		json_put_number(row, "calls", client->calls);
		json_put_number(row, "interrupts", client->interrupts);
		json_put_number(row, "regions", client->regions);
		json_put_number(row, "bytes_wired", client->bytes_wired);
	}
	return object;
}

/* --- The command ------------------------------------------------------------------------ */

#define INTERVAL_MS 1000

struct watched {
	struct ctl_device device;
	bool gone;
	struct rates_sample before;
};

struct top {
	const struct ctl_options *options;
	struct watched *watched;
	size_t count;
	struct screen screen;
};

/* Add the rates since the last sample, which is replaced; the first sample gives none. */
static kern_return_t take_sample(struct watched *watched, struct rates *rates)
{
	struct rates_sample now = { .taken = clock_now(CLOCK_MONOTONIC) };
	kern_return_t status =
		apple_dext_copy_clients(watched->device.connection, &now.clients, &now.count);

	if (status != kIOReturnSuccess)
		return status;
	if (watched->before.taken)
		rates_add(rates, watched->device.name, &watched->before, &now);
	free(watched->before.clients);
	watched->before = now;
	return kIOReturnSuccess;
}

/* One that has gone is left out from then on. An error: all have gone. */
static enum ctl_exit take_samples(struct top *top, struct rates *rates)
{
	size_t left = 0;

	for (size_t i = 0; i < top->count; i++) {
		struct watched *watched = &top->watched[i];
		kern_return_t status;

		if (watched->gone)
			continue;
		status = take_sample(watched, rates);
		if (apple_dext_is_gone(status)) {
			ctl_note(&watched->device, "%s", ctl_status_text(status));
			watched->gone = true;
		} else if (status != kIOReturnSuccess) {
			return ctl_fail(&watched->device, status, "clients");
		} else {
			left++;
		}
	}
	if (left)
		return CTL_OK;
	cli_error("no device is left");
	return CTL_FAILED;
}

static void show(struct top *top, struct rates *rates)
{
	char time[CLOCK_TEXT_SIZE], *text = NULL;
	size_t size = 0;
	FILE *out;

	clock_format(clock_now(CLOCK_REALTIME), 0, time);
	rates_sort(rates);
	if (top->options->json) {
		json_print_line(top_json(rates, time));
		fflush(stdout);
		return;
	}
	out = open_memstream(&text, &size);
	if (!out)
		return;
	top_print(rates, time, out);
	if (fclose(out) == 0)
		screen_show(&top->screen, text);
	free(text);
}

static enum ctl_exit follow(struct top *top)
{
	struct rates rates = { .rates = NULL };
	enum ctl_exit exit_status = take_samples(top, &rates);
	uint64_t shown = 0, count = top->options->count;

	while (exit_status == CTL_OK && (!count || shown < count) && !ferror(stdout)) {
		if (ctl_wait(INTERVAL_MS))
			break;
		exit_status = take_samples(top, &rates);
		if (exit_status == CTL_OK) {
			show(top, &rates);
			shown++;
		}
		rates_free(&rates);
	}
	return exit_status;
}

/* Open the device of @address, or all devices if it is NULL. */
static enum ctl_exit open_devices(struct top *top, const char *address)
{
	AppleDextDevice *devices;
	enum ctl_exit exit_status = CTL_OK;
	kern_return_t status;
	size_t count;

	if (address) {
		top->watched = cli_allocate(sizeof(*top->watched));
		top->count = 1;
		return ctl_open(address, &top->watched->device);
	}
	if (!ctl_service_answers())
		return CTL_FAILED;
	status = apple_dext_copy_bound_devices(&devices, &count);
	if (status != kIOReturnSuccess) {
		cli_error("the devices cannot be listed: %s", ctl_status_text(status));
		return CTL_FAILED;
	}
	top->watched = cli_allocate((count + 1) * sizeof(*top->watched));
	for (; top->count < count && exit_status == CTL_OK; top->count++)
		exit_status =
			ctl_open_listed(&devices[top->count], &top->watched[top->count].device);
	apple_dext_free_bound_devices(devices);
	return exit_status;
}

static enum ctl_exit top(const struct ctl_options *options, char **arguments)
{
	struct top top = { .options = options };
	enum ctl_exit exit_status = open_devices(&top, arguments[0]);

	screen_begin(&top.screen, stdout);
	if (exit_status == CTL_OK && !ctl_catch_signals())
		exit_status = CTL_FAILED;
	if (exit_status == CTL_OK && !options->json && isatty(STDOUT_FILENO) == 1)
		ctl_read_keys();
	if (exit_status == CTL_OK)
		exit_status = follow(&top);
	for (size_t i = 0; i < top.count; i++) {
		free(top.watched[i].before.clients);
		ctl_close(&top.watched[i].device);
	}
	free(top.watched);
	return exit_status;
}

const struct ctl_command ctl_top = {
	.name = "top",
	.arguments = "[ADDR]",
	.options = CTL_TAKES_COUNT,
	.summary = "show the activity of clients, live",
	.help = "Show the clients of a device, or of all devices, every second, until q, Ctrl-C\n"
		"or --count: calls and interrupts per second, DMA regions and the memory wired\n"
		"for them, the most active client first. On a terminal each table replaces the\n"
		"one before; with --json there is one object per line. This command itself is\n"
		"left out, and so are devices added later. The devices are not claimed.\n",
	.examples = "dextctl top\n"
		    "dextctl top 01:00.0 --count 1 --json | jq '.clients[].calls_per_second'\n",
	.run = top,
};
