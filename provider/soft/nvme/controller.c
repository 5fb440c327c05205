/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The controller's thread: changes of CC (enable, controller reset, shutdown) and rounds of
 * commands. It sleeps until an access by call wakes it, but polls as long as there is traffic:
 * shadow doorbells and calls. While the BAR is mapped, stores come without a call, so it polls the
 * BAR too, without a pause as long as there is traffic, then less and less often.
 */
#include "common/poll-policy.h"
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

/* Drop the queues and all else that a controller reset drops. */
static void clear_controller(struct nvme_controller *nvme)
{
	nvme->running = false;
	nvme->last_sqid = 0;
	nvme_parked_forget(nvme);
	nvme_idle(nvme);
	nvme_queues_clear(nvme);
	nvme->doorbell_buffer = (struct nvme_doorbell_buffer){ .enabled = false };
	memset(&nvme->async, 0, sizeof(nvme->async));
	/* Its entries go with a controller reset; the count of errors goes on. */
	memset(&nvme->error_log, 0, sizeof(nvme->error_log));
	nvme_features_reset(nvme);
}

static const char *cannot_enable(const struct nvme_events *events)
{
	if (NVME_CC_CSS(events->cc) != 0)
		return "CC.CSS asks for a command set other than NVM";
	if (NVME_CC_AMS(events->cc) != 0)
		return "CC.AMS asks for an arbitration other than round robin";
	if (NVME_CC_MPS(events->cc) > NVME_PAGE_ORDERS)
		return "CC.MPS is beyond CAP.MPSMAX";
	/* Sizes are one less than the number of entries, and one entry makes no queue. */
	if ((events->aqa & 0xfff) == 0 || (events->aqa >> 16 & 0xfff) == 0)
		return "AQA gives a queue of one entry, at least two are needed";
	if ((events->asq | events->acq) & ((UINT64_C(1) << (12 + NVME_CC_MPS(events->cc))) - 1))
		return "ASQ or ACQ is not aligned to the memory page size of CC.MPS";
	return NULL;
}

static void enable(struct nvme_controller *nvme, const struct nvme_events *events)
{
	const char *problem = cannot_enable(events);

	if (problem) {
		nvme_fatal(nvme, problem);
		return;
	}
	nvme->page = NVME_PAGE_MIN << NVME_CC_MPS(events->cc);
	nvme_cq_create(nvme, 0, events->acq, (events->aqa >> 16 & 0xfff) + 1, 0, true);
	nvme_sq_create(nvme, 0, events->asq, (events->aqa & 0xfff) + 1, 0);
	nvme->running = true;
	nvme_warnings_report(nvme, nvme_critical_warning(nvme));
	nvme_status_change(nvme, NVME_CSTS_CFS, NVME_CSTS_RDY);
}

static void disable(struct nvme_controller *nvme)
{
	clear_controller(nvme);
	nvme_registers_unmask(nvme);
	nvme_status_change(nvme, NVME_CSTS_RDY | NVME_CSTS_CFS | NVME_CSTS_SHST_MASK, 0);
}

/*
 * No queue is left to report an error in, which is what CSTS.CFS is for. The shutdown is
 * not said to be complete, as that would mean that all data is on the medium.
 */
static uint16_t shutdown_flushed(
	struct nvme_controller *nvme, struct nvme_request *request, const struct nvme_job *job)
{
	(void)request, (void)job;
	if (nvme_flush_status(nvme) == NVME_OK)
		nvme_status_change(nvme, NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_COMPLETE);
	else
		nvme_fatal(nvme, "data were lost before the shutdown");
	return NVME_NO_COMPLETION;
}

static void shut_down(struct nvme_controller *nvme)
{
	struct nvme_request none = { .sqid = NVME_NO_QUEUE };

	nvme->running = false;
	nvme_parked_forget(nvme);
	nvme_status_change(nvme, NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_OCCURRING);
	if (nvme_flush_then(nvme, &none, shutdown_flushed) != NVME_NO_COMPLETION)
		nvme_fatal(nvme, "out of memory");
}

static void end_shutdown(struct nvme_controller *nvme)
{
	nvme_parked_abort(nvme, NVME_NO_QUEUE, NVME_ANY_CID, 0);
	nvme_status_change(nvme, NVME_CSTS_SHST_MASK, 0);
}

/* Act on changes of CC. */
static void apply_cc(struct nvme_controller *nvme, const struct nvme_events *events)
{
	uint32_t before = nvme->cc;

	if (!(events->reasons & (NVME_WAKE_CC | NVME_WAKE_DISABLED)))
		return;
	if (events->reasons & NVME_WAKE_DISABLED) {
		disable(nvme);
		before &= ~NVME_CC_EN;
	}
	if ((events->cc & NVME_CC_EN) && !(before & NVME_CC_EN))
		enable(nvme, events);
	if (NVME_CC_SHN(events->cc) && !NVME_CC_SHN(before))
		shut_down(nvme);
	else if (!NVME_CC_SHN(events->cc) && NVME_CC_SHN(before))
		end_shutdown(nvme);
	nvme->cc = events->cc;
}

/*
 * How long after the last activity the worker polls without a pause, while that pays
 * (common/poll-policy.h): it learns how soon the host comes back. That takes some 20 us on a fast
 * machine, and some 200 us where the host is emulated.
 */
#define SPIN_MIN_NS UINT64_C(100000)
#define SPIN_MAX_NS UINT64_C(2000000)
/*
 * A thread that yields and does not run for so long has given its CPU to one that computes, rather
 * than to one that handles an interrupt of the device: others need the CPU.
 */
#define YIELD_MAX_NS UINT64_C(500000)
/*
 * Then sleeps last a 16th of the time since the last activity, so that they delay nothing by more
 * than that part, with limits: how fine a timer makes sense, and how long a driver may wait.
 */
#define SLEEP_PART   16u
#define SLEEP_MIN_NS UINT64_C(20000)
#define SLEEP_MAX_NS UINT64_C(8000000)
/* The kernel ends a sleep that much later at most; by default it is more than a short sleep. */
#define SLACK_NS 1000ul

/* How the worker waits. */
struct pace {
	uint64_t active_ns; /* when something last happened */
	bool waited;	    /* since then */
	bool spun;	    /* since then, without a pause */
	bool crowded;	    /* and another thread had the CPU for longer than YIELD_MAX_NS */
	bool armed;	    /* the host writes registers again when it has something to say */
	bool may_spin;	    /* there is another CPU for the host */
	struct poll_policy policy;
	struct poll_span span;
};

static void init_pace(struct pace *pace)
{
	cpu_set_t allowed;

	*pace = (struct pace){ .active_ns = nvme_now_ns() };
	pace->may_spin =
		sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) > 1;
	poll_policy_init(&pace->policy);
	poll_span_init(&pace->span, SPIN_MIN_NS, SPIN_MAX_NS);
}

static bool has_wakeup(const struct nvme_registers *registers)
{
	return registers->reasons || registers->stop || registers->reset || registers->last_poll;
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

/* Until the registers are polled again, or an interrupt is raised that is held back. */
static uint64_t sleep_time(const struct nvme_controller *nvme, bool polls, uint64_t idle_ns)
{
	uint64_t ns = idle_ns / SLEEP_PART, now;

	ns = ns < SLEEP_MIN_NS ? SLEEP_MIN_NS : ns > SLEEP_MAX_NS ? SLEEP_MAX_NS : ns;
	if (!polls)
		ns = UINT64_MAX;
	if (!nvme->raise_at_ns)
		return ns;
	now = nvme_now_ns();
	if (now >= nvme->raise_at_ns)
		return 0;
	return nvme->raise_at_ns - now < ns ? nvme->raise_at_ns - now : ns;
}

/*
 * Where the worker sleeps until it is woken, make the host write a register for new work. No
 * lock is held. Return: whether there is work already.
 */
static bool arm(struct nvme_controller *nvme, struct pace *pace, bool mapped)
{
	if (pace->armed || mapped)
		return false;
	pace->armed = !nvme_doorbell_buffer_arm(nvme);
	return !pace->armed;
}

static void end_spin(struct pace *pace)
{
	if (pace->spun)
		poll_policy_miss(&pace->policy);
	pace->spun = pace->crowded = false;
}

/* One pause of a poll. The lock is held, and released meanwhile. */
static void spin(struct nvme_registers *registers, struct pace *pace, uint64_t now)
{
	pace->spun = true;
	pthread_mutex_unlock(&registers->lock);
	sched_yield();
	pace->crowded = nvme_now_ns() - now > YIELD_MAX_NS;
	pthread_mutex_lock(&registers->lock);
}

/* Nothing to do for now. The lock is held, and released while waiting. */
static void wait_for_work(struct nvme_controller *nvme, struct pace *pace)
{
	struct nvme_registers *registers = &nvme->registers;
	uint64_t now = nvme_now_ns(), idle_ns = now - pace->active_ns;

	if (has_wakeup(registers))
		return;
	pace->waited = true;
	if (pace->may_spin && !pace->crowded && poll_policy_polls(&pace->policy) &&
		idle_ns < poll_span_ns(&pace->span)) {
		spin(registers, pace, now);
		return;
	}
	end_spin(pace);
	bool mapped = registers->mapped;

	pthread_mutex_unlock(&registers->lock);
	bool changed = arm(nvme, pace, mapped);

	pthread_mutex_lock(&registers->lock);
	/* A change of @mapped is a reason to wake up. */
	if (changed || has_wakeup(registers))
		return;
	if (mapped || nvme->raise_at_ns)
		sleep_for(registers, sleep_time(nvme, mapped, idle_ns));
	else
		pthread_cond_wait(&registers->wake, &registers->lock);
}

static void note_activity(struct pace *pace)
{
	uint64_t now = nvme_now_ns(), idle_ns = now - pace->active_ns;

	/* What has come while another thread ran is no result of the poll, and no reason against it. */
	if (pace->spun && !pace->crowded)
		poll_policy_hit(&pace->policy);
	else if (pace->waited)
		poll_policy_waited(
			&pace->policy, !pace->crowded && idle_ns < poll_span_ns(&pace->span));
	if (pace->waited)
		poll_span_waited(&pace->span, idle_ns);
	pace->active_ns = now;
	pace->waited = pace->spun = pace->crowded = pace->armed = false;
}

static uint64_t register_pair(const struct nvme_registers *registers, unsigned offset)
{
	return registers->value[offset / 4] | (uint64_t)registers->value[offset / 4 + 1] << 32;
}

/* Take the reasons for the wake-up and a copy of the registers. The lock is held. */
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
	registers->last_poll = false;
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

			/* With a doorbell buffer the value is there, and may be a newer one. */
			if (index < 2 || !nvme->doorbell_buffer.enabled)
				nvme_doorbell_apply(nvme, index, registers->doorbell[index]);
		}
	}
}

/* The lock is held. */
static void power_on(struct nvme_controller *nvme)
{
	struct nvme_registers *registers = &nvme->registers;

	pthread_mutex_unlock(&registers->lock);
	clear_controller(nvme);
	pthread_mutex_lock(&registers->lock);
	nvme_registers_power_on(nvme);
	nvme->cc = 0;
	registers->reset = false;
	atomic_store(&nvme->halt, registers->stop);
	pthread_cond_broadcast(&registers->reset_done);
}

/* One round. The lock is held, and released in between. Return: whether there was or is work. */
static bool work(struct nvme_controller *nvme, bool *more)
{
	struct nvme_registers *registers = &nvme->registers;
	bool active = false;

	if (registers->mapped || registers->last_poll)
		active = nvme_poll(nvme);
	take_doorbells(nvme);
	struct nvme_events events = take_events(nvme);

	pthread_mutex_unlock(&registers->lock);
	apply_cc(nvme, &events);
	active |= nvme_doorbell_buffer_poll(nvme);
	*more = nvme_run_queues(nvme);
	pthread_mutex_lock(&registers->lock);
	return active || events.reasons || *more;
}

static void worker_main(void *argument)
{
	struct nvme_controller *nvme = argument;
	struct nvme_registers *registers = &nvme->registers;
	struct pace pace;
	bool more = false;

	init_pace(&pace);
	prctl(PR_SET_TIMERSLACK, SLACK_NS);
	pthread_mutex_lock(&registers->lock);
	while (!registers->stop) {
		if (registers->reset)
			power_on(nvme);
		if (work(nvme, &more))
			note_activity(&pace);
		if (!more)
			wait_for_work(nvme, &pace);
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
	clear_controller(nvme);
	nvme_jobs_set_owner(nvme->jobs, &nvme->registers);
	failure = soft_worker_start(nvme->device, &nvme->worker, worker_main, discard, nvme);
	if (failure) {
		nvme_jobs_set_owner(nvme->jobs, NULL);
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
	nvme_parked_forget(nvme);
	nvme_jobs_destroy(nvme->jobs);
	nvme->jobs = NULL;
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
