/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-top-view.h"
#include "tools/cli.h"
#include "tools/dextctl-json.h"
#include "tools/dextctl-process.h"

#include <inttypes.h>

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
	cli_table_add(table, (const char *[]){rate->address, number, process_id(client->pid, pid),
				     claim(client), calls, interrupts, regions, wired,
				     command ? command : "-"});
}

void top_print(const struct rates *rates, const char *time, FILE *out)
{
	static const char *const heads[] = {"ADDRESS", "CLIENT", "PID", "CLAIM", "  CALLS/S",
		"   IRQS/S", "REGIONS", "WIRED", "COMMAND"};
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
