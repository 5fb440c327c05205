/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl irq watch: interrupts, live. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/terminal.h"
#include "tools/dextctl/vectors.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

struct watch {
	const struct ctl_device *device;
	const struct ctl_options *options;
	unsigned vectors;
	uint64_t mask[DEXT_IRQ_WORDS]; /* those that are wanted */

	pthread_mutex_t lock; /* guards what follows, against the handler */
	AppleDextInterruptNotify *notify;
	kern_return_t result;
	uint64_t total;
	uint64_t counts[DEXT_VECTORS_MAX];
};

static void print_interrupt(const struct watch *watch, unsigned vector)
{
	struct json_object *object;
	char now[CLOCK_TEXT_SIZE];

	clock_format(clock_now(CLOCK_REALTIME), 3, now);
	if (!watch->options->json) {
		printf("%s  %6u  %5" PRIu64 "\n", now, vector, watch->counts[vector]);
		return;
	}
	object = json_new_object();
	json_put_text(object, "address", watch->device->name);
	json_put_text(object, "time", now);
	json_put_number(object, "vector", vector);
	json_put_number(object, "count", watch->counts[vector]);
	json_print_line(object);
}

static bool enough(const struct watch *watch)
{
	return watch->options->count && watch->total >= watch->options->count;
}

static void take(struct watch *watch, const uint64_t pending[DEXT_IRQ_WORDS])
{
	for (unsigned vector = 0; vector < DEXT_VECTORS_MAX && !enough(watch); vector++) {
		/* One that came before the mask was set is none of those wanted either. */
		if (!vectors_has(pending, vector) || !vectors_has(watch->mask, vector))
			continue;
		watch->counts[vector]++;
		watch->total++;
		print_interrupt(watch, vector);
	}
}

/* On the notification's queue. */
static void on_interrupt(void *opaque)
{
	struct watch *watch = opaque;
	uint64_t pending[DEXT_IRQ_WORDS];

	pthread_mutex_lock(&watch->lock);
	watch->result = apple_dext_read_pending_irqs(watch->device->connection, pending);
	if (watch->result == kIOReturnSuccess)
		take(watch, pending);
	if (watch->result == kIOReturnSuccess && !enough(watch))
		watch->result = apple_dext_interrupt_notify_rearm(watch->notify);
	if (watch->result != kIOReturnSuccess || enough(watch))
		ctl_wake();
	pthread_mutex_unlock(&watch->lock);
}

/* Until a signal, the count, or the end of the driver. */
static kern_return_t wait_for_end(struct watch *watch)
{
	kern_return_t result = kIOReturnSuccess;

	while (result == kIOReturnSuccess && !ctl_wait(CTL_ALIVE_MS))
		result = ctl_alive(watch->device);
	return result;
}

static void print_totals(const struct watch *watch)
{
	static const char *const heads[] = { "VECTOR", "TOTAL" };
	struct cli_table table = CLI_TABLE(heads);

	for (unsigned i = 0; i < DEXT_VECTORS_MAX; i++) {
		char vector[16], count[24];

		if (!watch->counts[i])
			continue;
		snprintf(vector, sizeof(vector), "%6u", i);
		snprintf(count, sizeof(count), "%5" PRIu64, watch->counts[i]);
		cli_table_add(&table, (const char *[]){ vector, count });
	}
	if (watch->total) {
		putchar('\n');
		cli_table_print(&table, stdout);
	} else {
		puts("none came");
	}
	cli_table_free(&table);
}

static enum ctl_exit follow(struct watch *watch)
{
	kern_return_t result = apple_dext_interrupt_notify_create_into(
		watch->device->connection, on_interrupt, watch, &watch->notify);

	if (result != kIOReturnSuccess)
		return ctl_fail(watch->device, result, "interrupts: no notification");
	result = wait_for_end(watch);
	apple_dext_interrupt_notify_destroy(watch->notify);
	if (result == kIOReturnSuccess)
		result = watch->result;
	if (!watch->options->json)
		print_totals(watch);
	if (result != kIOReturnSuccess)
		return ctl_fail(watch->device, result, "watching ended");
	return CTL_OK;
}

/* Whether the device has all vectors that are wanted. */
static bool check_mask(const struct watch *watch)
{
	if (!watch->options->mask || vectors_count(watch->mask, watch->vectors) ==
					     vectors_count(watch->mask, DEXT_VECTORS_MAX))
		return true;
	cli_error("%s: --mask %s: no such vectors (0 to %u)", watch->device->name,
		watch->options->mask, watch->vectors - 1);
	return false;
}

/* All vectors are enabled from the beginning: without a mask there is nothing to do. */
static kern_return_t set_mask(const struct watch *watch)
{
	if (!watch->options->mask)
		return kIOReturnSuccess;
	return apple_dext_set_irq_mask(watch->device->connection, watch->mask);
}

static void note_begin(const struct watch *watch)
{
	unsigned wanted = vectors_count(watch->mask, watch->vectors);

	if (watch->options->mask)
		ctl_note(watch->device, "watching %u of %u vectors; Ctrl-C ends it", wanted,
			watch->vectors);
	else
		ctl_note(watch->device, "watching %u vector%s; Ctrl-C ends it", wanted,
			wanted == 1 ? "" : "s");
}

static enum ctl_exit start(struct watch *watch)
{
	kern_return_t result =
		apple_dext_setup_interrupts(watch->device->connection, &watch->vectors);

	if (result == kIOReturnUnsupported) {
		cli_error("%s: the device has no interrupts", watch->device->name);
		return CTL_FAILED;
	}
	if (result != kIOReturnSuccess)
		return ctl_fail(watch->device, result, "interrupts: not set up");
	if (!check_mask(watch))
		return CTL_USAGE;
	result = set_mask(watch);
	if (result != kIOReturnSuccess)
		return ctl_fail(watch->device, result, "interrupts: no mask set");
	if (!ctl_catch_signals())
		return CTL_FAILED;
	note_begin(watch);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!watch->options->json)
		puts("TIME          VECTOR  COUNT");
	return follow(watch);
}

/* Into @watch the vectors that are wanted: all unless told. */
static bool parse_mask(struct watch *watch)
{
	const char *problem;

	if (!watch->options->mask) {
		memset(watch->mask, 0xff, sizeof(watch->mask));
		return true;
	}
	problem = vectors_parse(watch->options->mask, watch->mask);
	if (problem)
		cli_error("--mask %s: %s", watch->options->mask, problem);
	return !problem;
}

static enum ctl_exit irq_watch(const struct ctl_options *options, char **arguments)
{
	struct watch watch = { .options = options, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct ctl_device device;
	enum ctl_exit status;

	if (!parse_mask(&watch))
		return CTL_USAGE;
	status = ctl_open(arguments[0], &device);
	if (status != CTL_OK)
		return status;
	watch.device = &device;
	status = ctl_claim(&device, CTL_TO_LOOK);
	if (status == CTL_OK)
		status = start(&watch);
	ctl_close(&device);
	return status;
}

const struct ctl_command ctl_irq_watch = {
	.name = "irq watch",
	.arguments = "ADDR",
	.min_arguments = 1,
	.max_arguments = 1,
	.options = CTL_TAKES_COUNT | CTL_TAKES_MASK,
	.summary = "print interrupts as they come",
	.help = "Claim the device and print each interrupt as it comes, with how often its\n"
		"vector has come so far, until Ctrl-C or --count. A vector that fires again\n"
		"before it was taken counts once. Other clients get their interrupts all the\n"
		"same. With --mask, the driver drops all vectors but these, for this command\n"
		"alone: each client has a mask of its own. With --json there is one object a\n"
		"line.\n",
	.examples = "dextctl irq watch 01:00.0\n"
		    "dextctl irq watch 01:00.0 --mask 0,4-7\n"
		    "dextctl irq watch 01:00.0 --count 10 --json\n",
	.run = irq_watch,
};
