/* SPDX-License-Identifier: BSD-3-Clause */
/* dextctl irq watch: interrupts, live. */
#include "tools/dextctl.h"
#include "tools/dextctl-json.h"

#include <dext-abi.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How often the driver is asked whether it is still there: nothing announces that it went. */
#define ALIVE_MS 1000

struct watch {
	const struct ctl_device *device;
	const struct ctl_options *options;
	unsigned vectors;

	pthread_mutex_t lock;	/* guards what follows, against the handler */
	AppleDextInterruptNotify *notify;
	kern_return_t result;
	uint64_t total;
	uint64_t counts[DEXT_VECTORS_MAX];
};

/* Written to by a signal or by the handler, to end the wait. Set once, before either can run. */
static int wake_fds[2] = {-1, -1};

static void wake(void)
{
	int saved = errno;
	/* A full pipe wakes as well. */
	ssize_t written = write(wake_fds[1], "", 1);

	(void)written;
	errno = saved;
}

static void on_signal(int number)
{
	(void)number;
	wake();
}

static void format_time(char text[16])
{
	struct timespec now;
	struct tm parts;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &parts);
	used = strftime(text, 16, "%H:%M:%S", &parts);
	snprintf(text + used, 16 - used, ".%03u", (unsigned)(now.tv_nsec / 1000000) % 1000);
}

static void print_interrupt(const struct watch *watch, unsigned vector)
{
	struct json_object *object;
	char now[16];

	format_time(now);
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
		if (!(pending[vector / 64] >> vector % 64 & 1))
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
		wake();
	pthread_mutex_unlock(&watch->lock);
}

static bool catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	if (pipe(wake_fds) < 0 || fcntl(wake_fds[1], F_SETFL, O_NONBLOCK) < 0) {
		cli_error("pipe: %s", strerror(errno));
		return false;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return true;
}

/* Until a signal, the count, or the end of the driver. */
static kern_return_t wait_for_end(struct watch *watch)
{
	struct pollfd poll_fd = {.fd = wake_fds[0], .events = POLLIN};
	kern_return_t result = kIOReturnSuccess;
	AppleDextIdentity identity;

	while (result == kIOReturnSuccess && poll(&poll_fd, 1, ALIVE_MS) <= 0)
		result = apple_dext_get_identity(watch->device->connection, &identity);
	return result;
}

static void print_totals(const struct watch *watch)
{
	static const char *const heads[] = {"VECTOR", "TOTAL"};
	struct cli_table table = CLI_TABLE(heads);

	for (unsigned i = 0; i < DEXT_VECTORS_MAX; i++) {
		char vector[16], count[24];

		if (!watch->counts[i])
			continue;
		snprintf(vector, sizeof(vector), "%6u", i);
		snprintf(count, sizeof(count), "%5" PRIu64, watch->counts[i]);
		cli_table_add(&table, (const char *[]){vector, count});
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
	AppleDextInterruptNotify *notify;
	kern_return_t result;

	/* The handler may run before the notification is known here: it waits for the lock. */
	pthread_mutex_lock(&watch->lock);
	notify = apple_dext_interrupt_notify_create(
		watch->device->connection, on_interrupt, watch);
	watch->notify = notify;
	pthread_mutex_unlock(&watch->lock);
	if (!notify)
		return ctl_fail(watch->device, kIOReturnNoResources, "interrupts: no notification");
	result = wait_for_end(watch);
	apple_dext_interrupt_notify_destroy(notify);
	if (result == kIOReturnSuccess)
		result = watch->result;
	if (!watch->options->json)
		print_totals(watch);
	if (result != kIOReturnSuccess)
		return ctl_fail(watch->device, result, "watching ended");
	return CTL_OK;
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
	if (!catch_signals())
		return CTL_FAILED;
	ctl_note(watch->device, "watching %u vector%s; Ctrl-C ends it", watch->vectors,
		watch->vectors == 1 ? "" : "s");
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!watch->options->json)
		puts("TIME          VECTOR  COUNT");
	return follow(watch);
}

static enum ctl_exit irq_watch(const struct ctl_options *options, char **arguments)
{
	struct watch watch = {.options = options, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct ctl_device device;
	enum ctl_exit status = ctl_open(arguments[0], &device);

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
	.options = CTL_TAKES_COUNT,
	.summary = "print interrupts as they come",
	.help = "Claim the device and print each interrupt as it comes, with how often its\n"
		"vector has come so far, until Ctrl-C or --count. A vector that fires again\n"
		"before it was taken counts once. Other clients get their interrupts all the\n"
		"same. With --json there is one object a line.\n",
	.examples = "dextctl irq watch 01:00.0\n"
		    "dextctl irq watch 01:00.0 --count 10 --json\n",
	.run = irq_watch,
};
