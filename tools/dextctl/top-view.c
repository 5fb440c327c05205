/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients do a second, from two looks at their counters; as text or as JSON. */
#include "tools/cli.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a client had before; nothing when it was not there. */
static AppleDextClientInfo find(const struct rates_sample *sample, uint32_t number)
{
	for (size_t i = 0; i < sample->count; i++)
		if (sample->clients[i].client == number)
			return sample->clients[i];
	return (AppleDextClientInfo){ .client = number };
}

static double a_second(uint64_t before, uint64_t now, uint64_t nanoseconds)
{
	if (now <= before || !nanoseconds)
		return 0;
	return (double)(now - before) * (double)CLOCK_SECOND / (double)nanoseconds;
}

static struct rate *grow(struct rates *rates)
{
	struct rate *larger = cli_allocate((rates->count + 1) * sizeof(*larger));

	if (rates->count)
		memcpy(larger, rates->rates, rates->count * sizeof(*larger));
	free(rates->rates);
	rates->rates = larger;
	return &larger[rates->count++];
}

void rates_add(struct rates *rates, const char *address, const struct rates_sample *before,
	const struct rates_sample *now)
{
	uint64_t passed = now->taken - before->taken;

	for (size_t i = 0; i < now->count; i++) {
		const AppleDextClientInfo *client = &now->clients[i];
		AppleDextClientInfo earlier = find(before, client->client);

		if (client->is_caller)
			continue;
		*grow(rates) = (struct rate){
			.address = address,
			.client = *client,
			.calls = a_second(earlier.calls, client->calls, passed),
			.interrupts = a_second(earlier.interrupts, client->interrupts, passed),
		};
	}
}

/* Larger ones first. */
static int compare_numbers(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare(const void *a, const void *b)
{
	const struct rate *x = a, *y = b;
	int order = compare_numbers(x->calls, y->calls);

	if (!order)
		order = compare_numbers(x->interrupts, y->interrupts);
	if (!order)
		order = strcmp(x->address, y->address);
	if (!order)
		order = (x->client.client > y->client.client) -
			(x->client.client < y->client.client);
	return order;
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

static void add_object(struct json_object *array, const struct rate *rate)
{
	struct json_object *object = json_add_object(array);
	const AppleDextClientInfo *client = &rate->client;
	char name[PROCESS_NAME_SIZE];

	json_put_text(object, "address", rate->address);
	json_put_number(object, "client", client->client);
	json_put_pid(object, "pid", client->pid);
	json_put_text(object, "command", process_name(client->pid, name));
	json_put_text(object, "claim", claim(client));
	json_put_bool(object, "takes_interrupts", client->takes_interrupts);
	json_put_rate(object, "calls_per_second", rate->calls);
	json_put_rate(object, "interrupts_per_second", rate->interrupts);
	json_put_number(object, "calls", client->calls);
	json_put_number(object, "interrupts", client->interrupts);
	json_put_number(object, "regions", client->regions);
	json_put_number(object, "bytes_wired", client->bytes_wired);
}

struct json_object *top_json(const struct rates *rates, const char *time)
{
	struct json_object *object = json_new_object(), *clients;

	json_put_text(object, "time", time);
	clients = json_put_array(object, "clients");
	for (size_t i = 0; i < rates->count; i++)
		add_object(clients, &rates->rates[i]);
	return object;
}
