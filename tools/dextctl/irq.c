/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl irq watch: print interrupts, live; irq trigger: raise one of a software device. */
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/terminal.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

struct watch {
	const struct ctl_device *device;
	const struct ctl_options *options;
	unsigned vectors;	       /* of the device */
	uint64_t mask[DEXT_IRQ_WORDS]; /* the vectors to print */

	pthread_mutex_t lock; /* guards the members below, which the handler changes */
	AppleDextInterruptNotify *notify;
	kern_return_t status;
	uint64_t total;
	uint64_t counts[DEXT_VECTORS_MAX];
};

static bool has_vector(const uint64_t mask[DEXT_IRQ_WORDS], unsigned vector)
{
	return mask[vector / 64] >> vector % 64 & 1;
}

/* --- While it runs ------------------------------------------------------------------ */

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

static bool is_complete(const struct watch *watch)
{
	return watch->options->count && watch->total >= watch->options->count;
}

static void count_pending(struct watch *watch, const uint64_t pending[DEXT_IRQ_WORDS])
{
	for (unsigned i = 0; i < DEXT_VECTORS_MAX && !is_complete(watch); i++) {
		/* An interrupt from before the mask was set may be pending. */
		if (!has_vector(pending, i) || !has_vector(watch->mask, i))
			continue;
		watch->counts[i]++;
		watch->total++;
		print_interrupt(watch, i);
	}
}

/* Runs on the queue of the notification. */
static void on_interrupt(void *opaque)
{
	struct watch *watch = opaque;
	uint64_t pending[DEXT_IRQ_WORDS];

	pthread_mutex_lock(&watch->lock);
	watch->status = apple_dext_read_pending_irqs(watch->device->connection, pending);
	if (watch->status == kIOReturnSuccess)
		count_pending(watch, pending);
	if (watch->status == kIOReturnSuccess && !is_complete(watch))
		watch->status = apple_dext_interrupt_notify_rearm(watch->notify);
	if (watch->status != kIOReturnSuccess || is_complete(watch))
		ctl_wake();
	pthread_mutex_unlock(&watch->lock);
}

/* The device was removed, or has reported an error. On the same queue. */
static void on_status(void *opaque, kern_return_t status)
{
	struct watch *watch = opaque;

	if (status == kIOReturnDeviceError) {
		ctl_note(watch->device, "the device has reported an error");
		return;
	}
	pthread_mutex_lock(&watch->lock);
	watch->status = status;
	ctl_wake();
	pthread_mutex_unlock(&watch->lock);
}

/* Config space still reads, as all ones. */
static bool was_removed(const struct watch *watch)
{
	uint64_t id;

	return apple_dext_config_read(watch->device->connection, 0, 4, &id) == kIOReturnSuccess &&
	       id == UINT32_MAX;
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
		puts("no interrupts");
	}
	cli_table_free(&table);
}

/* Until a signal, the count, or the end of the driver. */
static enum ctl_exit follow(struct watch *watch)
{
	kern_return_t status = apple_dext_interrupt_notify_create_into(
		watch->device->connection, on_interrupt, watch, &watch->notify);

	if (status != kIOReturnSuccess)
		return ctl_fail(watch->device, status, "interrupts: no notification");
	apple_dext_interrupt_notify_set_status_handler(watch->notify, on_status);
	while (status == kIOReturnSuccess && !ctl_wait(CTL_ALIVE_MS))
		status = ctl_alive(watch->device);
	apple_dext_interrupt_notify_destroy(watch->notify);
	if (status == kIOReturnSuccess)
		status = watch->status;
	if (!watch->options->json)
		print_totals(watch);
	if (status == kIOReturnSuccess)
		return CTL_OK;
	if (!was_removed(watch))
		return ctl_fail(watch->device, status, "watching ended");
	cli_error("%s: watching ended: the device was removed", watch->device->name);
	return CTL_FAILED;
}

/* --- Its start ---------------------------------------------------------------------- */

static enum ctl_exit start(struct watch *watch)
{
	const char *mask = watch->options->mask;
	kern_return_t status =
		apple_dext_setup_interrupts(watch->device->connection, &watch->vectors);
	unsigned wanted = 0;

	if (status == kIOReturnUnsupported) {
		cli_error("%s: the device has no interrupts", watch->device->name);
		return CTL_FAILED;
	}
	if (status != kIOReturnSuccess)
		return ctl_fail(watch->device, status, "interrupts: not set up");
	for (unsigned i = 0; i < DEXT_VECTORS_MAX; i++) {
		if (mask && i >= watch->vectors && has_vector(watch->mask, i)) {
			cli_error("%s: --mask %s: no such vectors (0 to %u)", watch->device->name,
				mask, watch->vectors - 1);
			return CTL_USAGE;
		}
		wanted += i < watch->vectors && has_vector(watch->mask, i);
	}
	/* All vectors are enabled at first. */
	if (mask)
		status = apple_dext_set_irq_mask(watch->device->connection, watch->mask);
	if (status != kIOReturnSuccess)
		return ctl_fail(watch->device, status, "interrupts: no mask set");
	if (!ctl_catch_signals())
		return CTL_FAILED;
	if (mask)
		ctl_note(watch->device, "watching %u of %u vectors; Ctrl-C ends it", wanted,
			watch->vectors);
	else
		ctl_note(watch->device, "watching %u vector%s; Ctrl-C ends it", wanted,
			wanted == 1 ? "" : "s");
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!watch->options->json)
		puts("TIME          VECTOR  COUNT");
	return follow(watch);
}

static enum ctl_exit irq_watch(const struct ctl_options *options, char **arguments)
{
	struct watch watch = { .options = options, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct ctl_device device;
	enum ctl_exit exit_status;

	memset(watch.mask, 0xff, sizeof(watch.mask));
	if (options->mask && !ctl_vectors("--mask", options->mask, watch.mask))
		return CTL_USAGE;
	exit_status = ctl_open(arguments[0], &device);
	if (exit_status != CTL_OK)
		return exit_status;
	watch.device = &device;
	exit_status = ctl_claim(&device, CTL_TO_READ);
	if (exit_status == CTL_OK)
		exit_status = start(&watch);
	ctl_close(&device);
	return exit_status;
}

const struct ctl_command ctl_irq_watch = {
	.name = "irq watch",
	.arguments = "ADDR",
	.options = CTL_TAKES_COUNT | CTL_TAKES_MASK,
	.summary = "print interrupts, live",
	.help = "Claim the device and print each interrupt with the number of interrupts of its\n"
		"vector so far, until Ctrl-C or --count. A vector that fires again before it is\n"
		"read counts once. Other clients still get their interrupts. With --mask, the\n"
		"driver drops all other vectors, for this command only: each client has its own\n"
		"mask. With --json there is one object per line.\n",
	.examples = "dextctl irq watch 01:00.0\n"
		    "dextctl irq watch 01:00.0 --mask 0,4-7\n"
		    "dextctl irq watch 01:00.0 --count 10 --json\n",
	.run = irq_watch,
};

/* --- irq trigger ---------------------------------------------------------------------- */

static enum ctl_exit fail_trigger(
	const struct ctl_device *device, unsigned vector, kern_return_t status)
{
	AppleDextStatus use;

	if (status == kIOReturnUnsupported)
		cli_error("%s: vector %u: not triggered: only software devices' interrupts can be",
			device->name, vector);
	else if (status != kIOReturnBadArgument ||
		 apple_dext_get_status(device->connection, &use) != kIOReturnSuccess)
		ctl_fail(device, status, "vector %u: not triggered", vector);
	else if (use.interrupt_vectors)
		cli_error("%s: vector %u: no such vector (0 to %u)", device->name, vector,
			use.interrupt_vectors - 1);
	else
		cli_error("%s: the device has no interrupts", device->name);
	return CTL_FAILED;
}

static enum ctl_exit irq_trigger(const struct ctl_options *options, char **arguments)
{
	struct ctl_device device;
	struct json_object *object;
	enum ctl_exit exit_status;
	kern_return_t status;
	uint64_t vector;

	if (!ctl_number("VECTOR", arguments[1], DEXT_VECTORS_MAX - 1, &vector))
		return CTL_USAGE;
	exit_status = ctl_open(arguments[0], &device);
	if (exit_status != CTL_OK)
		return exit_status;
	status = apple_dext_trigger_interrupt(device.connection, (uint32_t)vector);
	if (status != kIOReturnSuccess) {
		exit_status = fail_trigger(&device, (unsigned)vector, status);
	} else if (options->json) {
		object = json_new_object();
		json_put_text(object, "address", device.name);
		json_put_number(object, "vector", vector);
		json_put_bool(object, "triggered", true);
		json_print(object);
	}
	ctl_close(&device);
	return exit_status;
}

const struct ctl_command ctl_irq_trigger = {
	.name = "irq trigger",
	.arguments = "ADDR VECTOR",
	.summary = "raise a software device's interrupt",
	.help = "Raise the interrupt VECTOR (from 0) of a software device, as the device itself\n"
		"would. The device is not claimed. Each client that has set up interrupts and has\n"
		"not masked the vector gets it; without such a client it is lost, as with a real\n"
		"device.\n",
	.examples = "dextctl irq trigger 01:00.0 3\n",
	.run = irq_trigger,
};
