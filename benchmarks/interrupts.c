/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the moment in which somebody asks dextd for an interrupt to the first line of the handler:
 * two processes are woken on the way, as in a ping-pong. The handler is ready for the next one
 * before the sample ends.
 */
#include "benchmarks/bench.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define WAIT_SECONDS 10

static struct rig rig;
static io_connect_t taker, trigger;
static AppleDextInterruptNotify *notify;
static sem_t handled;
static _Atomic double handled_at;

static void handle(void *unused)
{
	uint64_t pending[4];

	(void)unused;
	atomic_store(&handled_at, bench_now());
	if (apple_dext_read_pending_irqs(taker, pending) == kIOReturnSuccess && pending[0] == 1 &&
		apple_dext_interrupt_notify_rearm(notify) == kIOReturnSuccess)
		sem_post(&handled);
}

static bool wait_handled(void)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += WAIT_SECONDS;
	while (sem_timedwait(&handled, &limit) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

static double fire(void *unused)
{
	double began = bench_now();

	(void)unused;
	if (apple_dext_trigger_interrupt(trigger, 0) != kIOReturnSuccess || !wait_handled())
		return -1;
	return atomic_load(&handled_at) - began;
}

static bool begin(void)
{
	static const char *const specs[] = { "nvme,addr=01:00.0,size=1M", NULL };

	sem_init(&handled, 0, 0);
	if (!bench_ping_pong_begin() || !rig_start(&rig, specs))
		return false;
	taker = apple_dext_connect(1, 0, 0);
	trigger = apple_dext_connect(1, 0, 0);
	if (apple_dext_claim(taker) == kIOReturnSuccess &&
		apple_dext_setup_interrupts(taker, NULL) == kIOReturnSuccess)
		apple_dext_interrupt_notify_create_into(taker, handle, NULL, &notify);
	if (!notify)
		fprintf(stderr, "dextpci: interrupts cannot be set up\n");
	return notify;
}

static void end(void)
{
	apple_dext_interrupt_notify_destroy(notify);
	apple_dext_disconnect(taker);
	apple_dext_disconnect(trigger);
	rig_stop(&rig);
	bench_ping_pong_end();
	sem_destroy(&handled);
	notify = NULL;
}

static const struct bench_case cases[] = {
	{ "AF_UNIX ping-pong, 32 bytes", 0, bench_ping_pong, NULL },
	{ "interrupt: trigger to handler", 0, fire, NULL },
};

const struct bench_group bench_interrupts = {
	.name = "interrupts",
	.title = "Interrupts",
	.placement = BENCH_BOTH,
	.cases = cases,
	.case_count = sizeof(cases) / sizeof(*cases),
	.burst = 20,
	.seconds = 5,
	.begin = begin,
	.end = end,
};
