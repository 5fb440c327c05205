/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl top: who does how much, live. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/terminal.h"
#include "tools/dextctl/top.h"

#include <stdlib.h>
#include <unistd.h>

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

static kern_return_t take_sample(const struct ctl_device *device, struct rates_sample *sample)
{
	sample->taken = clock_now(CLOCK_MONOTONIC);
	return apple_dext_copy_clients(device->connection, &sample->clients, &sample->count);
}

/* The rates since the last look, which this one replaces. */
static kern_return_t look(struct watched *watched, struct rates *rates)
{
	struct rates_sample now = { 0 };
	kern_return_t result = take_sample(&watched->device, &now);

	if (result != kIOReturnSuccess)
		return result;
	if (watched->before.taken)
		rates_add(rates, watched->device.name, &watched->before, &now);
	free(watched->before.clients);
	watched->before = now;
	return kIOReturnSuccess;
}

/*
 * Look at all devices. One that was removed is left out from then on; without any left,
 * or without the driver, that is the end.
 */
static enum ctl_exit look_at_all(struct top *top, struct rates *rates)
{
	size_t left = 0;

	for (size_t i = 0; i < top->count; i++) {
		struct watched *watched = &top->watched[i];
		kern_return_t result = watched->gone ? kIOReturnOffline : look(watched, rates);

		if (result == kIOReturnSuccess)
			left++;
		else if (result != kIOReturnOffline)
			return ctl_fail(&watched->device, result, "clients");
		else if (!watched->gone)
			ctl_note(&watched->device, "%s", ctl_explain(result));
		watched->gone = result == kIOReturnOffline;
	}
	if (left)
		return CTL_OK;
	cli_error("no device is left");
	return CTL_FAILED;
}

static void print_text(struct screen *screen, const struct rates *rates, const char *time)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	top_print(rates, time, out);
	if (fclose(out) == 0)
		screen_show(screen, text);
	free(text);
}

static void print(struct top *top, struct rates *rates)
{
	char time[CLOCK_TEXT_SIZE];

	clock_format(clock_now(CLOCK_REALTIME), 0, time);
	rates_sort(rates);
	if (top->options->json)
		json_print_line(top_json(rates, time));
	else
		print_text(&top->screen, rates, time);
	fflush(stdout);
}

static enum ctl_exit follow(struct top *top)
{
	struct rates rates = { .rates = NULL };
	/* The first look gives no rates: there is nothing to compare it with. */
	enum ctl_exit status = look_at_all(top, &rates);
	uint64_t shown = 0, count = top->options->count;

	while (status == CTL_OK && (!count || shown < count) && !ferror(stdout)) {
		if (ctl_wait(INTERVAL_MS))
			break;
		status = look_at_all(top, &rates);
		if (status == CTL_OK) {
			print(top, &rates);
			shown++;
		}
		rates_free(&rates);
	}
	return status;
}

static enum ctl_exit open_one(struct top *top, const char *address)
{
	top->watched = cli_allocate(sizeof(*top->watched));
	top->count = 1;
	return ctl_open(address, &top->watched->device);
}

/* All that there are. */
static enum ctl_exit open_all(struct top *top)
{
	AppleDextDevice *devices;
	enum ctl_exit status = CTL_OK;
	kern_return_t result;
	size_t count;

	if (!ctl_service_answers())
		return CTL_FAILED;
	result = apple_dext_copy_bound_devices(&devices, &count);
	if (result != kIOReturnSuccess) {
		cli_error("the devices cannot be listed: %s", ctl_explain(result));
		return CTL_FAILED;
	}
	top->watched = cli_allocate((count + 1) * sizeof(*top->watched));
	for (; top->count < count && status == CTL_OK; top->count++)
		status = ctl_open_listed(&devices[top->count], &top->watched[top->count].device);
	apple_dext_free_bound_devices(devices);
	return status;
}

static void close_all(struct top *top)
{
	for (size_t i = 0; i < top->count; i++) {
		free(top->watched[i].before.clients);
		ctl_close(&top->watched[i].device);
	}
	free(top->watched);
}

static enum ctl_exit top(const struct ctl_options *options, char **arguments)
{
	struct top top = { .options = options };
	enum ctl_exit status;

	screen_begin(&top.screen, stdout);
	status = arguments[0] ? open_one(&top, arguments[0]) : open_all(&top);
	if (status == CTL_OK && !ctl_catch_signals())
		status = CTL_FAILED;
	if (status == CTL_OK && !options->json && isatty(STDOUT_FILENO) == 1)
		ctl_read_keys();
	if (status == CTL_OK)
		status = follow(&top);
	close_all(&top);
	return status;
}

const struct ctl_command ctl_top = {
	.name = "top",
	.arguments = "[ADDR]",
	.min_arguments = 0,
	.max_arguments = 1,
	.options = CTL_TAKES_COUNT,
	.summary = "show how much each client does",
	.help = "Show the clients of a device, or of all devices, every second, until q, Ctrl-C\n"
		"or --count: calls and interrupts a second, DMA regions and how much memory they\n"
		"wire, the most active first. On a terminal in place, elsewhere one table\n"
		"after the other, with --json one object a line. This command itself is left\n"
		"out. Nothing is claimed. Devices that come later are not shown.\n",
	.examples = "dextctl top\n"
		    "dextctl top 01:00.0 --count 1 --json | jq '.clients[].calls_per_second'\n",
	.run = top,
};
