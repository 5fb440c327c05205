/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread that is the controller. It sleeps until an access by call wakes it; while
 * the BAR is mapped, stores come unannounced and it looks for them instead: without a
 * pause as long as there is traffic, then less and less often.
 */
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

/*
 * How long after the last activity the BAR is looked at without a pause. A sleep and a
 * wake-up cost some 50 us each; a driver that has more to do usually comes back sooner.
 */
#define SPIN_NS UINT64_C(100000)
/* Then sleeps begin this short, and double: an idle second costs a thousand looks at most. */
#define SLEEP_MIN_NS UINT64_C(20000)
#define SLEEP_MAX_NS UINT64_C(1000000)

struct pace {
	uint64_t active_ns; /* when something last happened */
	uint64_t sleep_ns;
};

uint64_t nvme_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool called(const struct nvme_registers *registers)
{
	return registers->reasons || registers->stop || registers->reset || registers->last_look;
}

static void sleep_for(struct nvme_registers *registers, uint64_t ns)
{
	uint64_t until = nvme_now_ns() + ns;
	struct timespec deadline = {
		.tv_sec = (time_t)(until / 1000000000u),
		.tv_nsec = (long)(until % 1000000000u),
	};

	pthread_cond_timedwait(&registers->wake, &registers->lock, &deadline);
}

/* Nothing to do for now. The lock is held, and released meanwhile. */
static void rest(struct nvme_registers *registers, struct pace *pace)
{
	if (called(registers))
		return;
	if (!registers->mapped) {
		pthread_cond_wait(&registers->wake, &registers->lock);
	} else if (nvme_now_ns() - pace->active_ns < SPIN_NS) {
		pthread_mutex_unlock(&registers->lock);
		sched_yield();
		pthread_mutex_lock(&registers->lock);
	} else {
		sleep_for(registers, pace->sleep_ns);
		pace->sleep_ns =
			pace->sleep_ns * 2 < SLEEP_MAX_NS ? pace->sleep_ns * 2 : SLEEP_MAX_NS;
	}
}

static void keep_awake(struct pace *pace)
{
	pace->active_ns = nvme_now_ns();
	pace->sleep_ns = SLEEP_MIN_NS;
}

static uint64_t register_pair(const struct nvme_registers *registers, unsigned offset)
{
	return registers->value[offset / 4] | (uint64_t)registers->value[offset / 4 + 1] << 32;
}

/* Take over what has come in, doorbells apart. The lock is held. */
static struct nvme_events take_events(struct nvme_controller *nvme)
{
	struct nvme_registers *registers = &nvme->registers;
	struct nvme_events events = {
		.reasons = registers->reasons,
		.cc = registers->value[NVME_REG_CC / 4],
		.aqa = registers->value[NVME_REG_AQA / 4],
		.asq = register_pair(registers, NVME_REG_ASQ),
		.acq = register_pair(registers, NVME_REG_ACQ),
	};

	registers->reasons = 0;
	registers->last_look = false;
	atomic_store(&nvme->halt, registers->stop || registers->reset);
	return events;
}

/* Queues are the worker's, so that it can act on doorbells under the lock. */
static void take_doorbells(struct nvme_controller *nvme)
{
	struct nvme_registers *registers = &nvme->registers;

	for (unsigned word = 0; word < NVME_DOORBELLS / 64; word++) {
		uint64_t rung = registers->rung[word];

		registers->rung[word] = 0;
		for (; rung; rung &= rung - 1) {
			unsigned index = 64 * word + (unsigned)__builtin_ctzll(rung);

			nvme_doorbell_apply(nvme, index, registers->doorbell[index]);
		}
	}
}

/* The lock is held. */
static void power_on(struct nvme_controller *nvme)
{
	struct nvme_registers *registers = &nvme->registers;

	pthread_mutex_unlock(&registers->lock);
	nvme_controller_clear(nvme);
	pthread_mutex_lock(&registers->lock);
	nvme_registers_power_on(nvme);
	nvme->cc = 0;
	registers->reset = false;
	atomic_store(&nvme->halt, registers->stop);
	pthread_cond_broadcast(&registers->reset_done);
}

/* One round. The lock is held, and released meanwhile. Return: whether there was or is work. */
static bool work(struct nvme_controller *nvme, bool *more)
{
	struct nvme_registers *registers = &nvme->registers;
	bool active = false;

	if (registers->mapped || registers->last_look)
		active = nvme_poll(nvme);
	take_doorbells(nvme);
	struct nvme_events events = take_events(nvme);

	pthread_mutex_unlock(&registers->lock);
	nvme_controller_apply(nvme, &events);
	*more = nvme_run_queues(nvme);
	pthread_mutex_lock(&registers->lock);
	return active || events.reasons || *more;
}

static void worker_main(void *argument)
{
	struct nvme_controller *nvme = argument;
	struct nvme_registers *registers = &nvme->registers;
	struct pace pace = { .sleep_ns = SLEEP_MIN_NS };
	bool more = false;

	pthread_mutex_lock(&registers->lock);
	while (!registers->stop) {
		if (registers->reset)
			power_on(nvme);
		if (work(nvme, &more))
			keep_awake(&pace);
		if (!more)
			rest(registers, &pace);
	}
	pthread_mutex_unlock(&registers->lock);
}

static int create_locks(struct nvme_registers *registers)
{
	pthread_condattr_t monotonic;
	int error = pthread_condattr_init(&monotonic);

	if (error)
		return error;
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&registers->lock, NULL);
	pthread_cond_init(&registers->wake, &monotonic);
	pthread_cond_init(&registers->reset_done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return 0;
}

static void destroy_locks(struct nvme_registers *registers)
{
	pthread_cond_destroy(&registers->reset_done);
	pthread_cond_destroy(&registers->wake);
	pthread_mutex_destroy(&registers->lock);
}

bool nvme_worker_start(
	struct nvme_controller *nvme, void (*discard)(void *nvme), struct spec_error *error)
{
	int failure = create_locks(&nvme->registers);

	if (failure)
		return spec_fail(error, "nvme: cannot set up its locks: %s", strerror(failure));
	nvme_registers_power_on(nvme);
	nvme_controller_clear(nvme);
	failure = soft_worker_start(nvme->device, &nvme->worker, worker_main, discard, nvme);
	if (failure) {
		destroy_locks(&nvme->registers);
		return spec_fail(error, "nvme: cannot start its thread: %s", strerror(failure));
	}
	return true;
}

void nvme_worker_stop(struct nvme_controller *nvme)
{
	pthread_mutex_lock(&nvme->registers.lock);
	nvme->registers.stop = true;
	atomic_store(&nvme->halt, true);
	pthread_cond_signal(&nvme->registers.wake);
	pthread_mutex_unlock(&nvme->registers.lock);
	soft_worker_join(&nvme->worker);
}

void nvme_worker_release(struct nvme_controller *nvme)
{
	destroy_locks(&nvme->registers);
}

bool nvme_worker_reset(struct nvme_controller *nvme, const struct timespec *until)
{
	struct nvme_registers *registers = &nvme->registers;
	bool done;
	int waited = 0;

	pthread_mutex_lock(&registers->lock);
	registers->reset = true;
	atomic_store(&nvme->halt, true);
	pthread_cond_signal(&registers->wake);
	while (registers->reset && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&registers->reset_done, &registers->lock, until);
	done = !registers->reset;
	pthread_mutex_unlock(&registers->lock);
	return done;
}
