/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * The longest time that one side polls: what going to sleep and waking up costs, which is 10 us on an
 * idle machine and 60 us on a busy virtual one.
 */
#define POLL_NS 100000
/* A wait in the socket contains the wake-ups of both sides; one up to this time was short. */
#define SHORT_WAIT_NS (2 * POLL_NS)
/* The clock is read once in so many looks. */
#define LOOKS_PER_CLOCK 64

#define CPU_UNKNOWN UINT32_MAX

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void relax_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb");
#endif
}

static uint32_t current_cpu(void)
{
	int cpu = sched_getcpu();

	return cpu < 0 ? CPU_UNKNOWN : (uint32_t)cpu;
}

/* --- Its memory ----------------------------------------------------------------------------- */

static int map_slot(struct iou_channel *channel, int fd)
{
	void *slot = mmap(NULL, sizeof(*channel->slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (slot == MAP_FAILED)
		return -errno;
	/* A child of fork() is no party to it. */
	madvise(slot, sizeof(*channel->slot), MADV_DONTFORK);
	*channel = (struct iou_channel){ .slot = slot, .cpu = CPU_UNKNOWN };
	poll_policy_init(&channel->policy);
	return 0;
}

int iou_channel_create(struct iou_channel *channel, int *fd)
{
	int status;

	*fd = memfd_create("iokit-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return -errno;
	if (ftruncate(*fd, sizeof(*channel->slot)) != 0 ||
		fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		status = -errno;
	else
		status = map_slot(channel, *fd);
	if (status < 0) {
		close(*fd);
		return status;
	}
	atomic_init(&channel->slot->state, IOU_CHANNEL_SOCKET);
	atomic_init(&channel->slot->service_cpu, CPU_UNKNOWN);
	atomic_init(&channel->slot->client_cpu, CPU_UNKNOWN);
	return 0;
}

int iou_channel_attach(struct iou_channel *channel, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat file;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &file) != 0 ||
		file.st_size != (off_t)sizeof(*channel->slot))
		return -EINVAL;
	return map_slot(channel, fd);
}

void iou_channel_free(struct iou_channel *channel)
{
	if (channel->slot)
		munmap(channel->slot, sizeof(*channel->slot));
	channel->slot = NULL;
}

/* Copy a message out of the slot. What is checked is the copy: the other side may still write. */
static int take(union iou_buffer *buffer, const unsigned char *message)
{
	uint32_t size = ((const volatile struct iou_header *)(const volatile void *)message)->size;

	if (size < sizeof(buffer->header) || size > sizeof(*buffer))
		return -EPROTO;
	memcpy(buffer, message, size);
	return buffer->header.size == size ? (int)size : -EPROTO;
}

/* --- The client ----------------------------------------------------------------------------- */

static bool change(struct iou_channel *channel, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong(&channel->slot->state, &from, to);
}

/* Say where this side runs. Returns whether the other side was last seen on the same CPU. */
static bool shares_cpu(
	struct iou_channel *channel, _Atomic uint32_t *own, const _Atomic uint32_t *other)
{
	uint32_t cpu = current_cpu();

	if (cpu != channel->cpu) {
		channel->cpu = cpu;
		atomic_store_explicit(own, cpu, memory_order_relaxed);
	}
	return cpu == atomic_load_explicit(other, memory_order_relaxed);
}

/* Poll until the state is not @state: the new one, or @state when that took too long. */
static uint32_t poll_state(const struct iou_channel_slot *slot, uint32_t state)
{
	int64_t deadline = 0;
	uint32_t seen;

	for (unsigned looks = 1;; looks++) {
		seen = atomic_load_explicit(&slot->state, memory_order_acquire);
		if (seen != state)
			return seen;
		relax_cpu();
		if (looks % LOOKS_PER_CLOCK)
			continue;
		if (!deadline)
			deadline = now_ns() + POLL_NS;
		else if (now_ns() >= deadline)
			return state;
	}
}

int iou_channel_call(
	struct iou_channel *channel, const union iou_buffer *request, union iou_buffer *reply)
{
	struct iou_channel_slot *slot = channel->slot;
	struct poll_policy *policy = &channel->policy;
	uint32_t state;

	if (!slot ||
		atomic_load_explicit(&slot->state, memory_order_relaxed) != IOU_CHANNEL_POLLING)
		return 0;
	/* After replies that did not come in time, some calls go by the socket. */
	if (policy->needed > POLL_POLICY_MIN && ++policy->short_waits < policy->needed)
		return 0;
	memcpy(slot->request, request, request->header.size);
	if (!change(channel, IOU_CHANNEL_POLLING, IOU_CHANNEL_POSTED))
		return 0;
	state = shares_cpu(channel, &slot->client_cpu, &slot->service_cpu) ?
			IOU_CHANNEL_POSTED :
			poll_state(slot, IOU_CHANNEL_POSTED);
	if (state == IOU_CHANNEL_POSTED &&
		atomic_compare_exchange_strong(&slot->state, &state, IOU_CHANNEL_WAITING)) {
		poll_policy_miss(policy);
		return -EINPROGRESS;
	}
	/* The service's question to this client comes by the socket, and so does its reply then. */
	if (state == IOU_CHANNEL_WAITING)
		return -EINPROGRESS;
	if (state != IOU_CHANNEL_POLLING && state != IOU_CHANNEL_SOCKET)
		return -EPROTO;
	poll_policy_hit(policy);
	return take(reply, slot->reply);
}

void iou_channel_sent(struct iou_channel *channel)
{
	if (!channel->slot)
		return;
	shares_cpu(channel, &channel->slot->client_cpu, &channel->slot->service_cpu);
	change(channel, IOU_CHANNEL_POLLING, IOU_CHANNEL_SOCKET);
}

/* --- The service ---------------------------------------------------------------------------- */

/*
 * A thread that a message has woken often runs where the sender runs: as long as it polls there,
 * the sender cannot run. Move to another CPU of those that this thread may use, if there is one.
 */
static bool leave_cpu(uint32_t cpu)
{
	cpu_set_t allowed, others;
	bool moved;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || cpu >= CPU_SETSIZE)
		return false;
	others = allowed;
	CPU_CLR(cpu, &others);
	if (!CPU_COUNT(&others))
		return false;
	moved = sched_setaffinity(0, sizeof(others), &others) == 0;
	sched_setaffinity(0, sizeof(allowed), &allowed);
	return moved;
}

void iou_channel_wait_begins(struct iou_channel *channel)
{
	if (channel->slot)
		channel->wait_began = now_ns();
}

void iou_channel_wait_ended(struct iou_channel *channel)
{
	if (channel->slot)
		poll_policy_waited(
			&channel->policy, now_ns() - channel->wait_began < SHORT_WAIT_NS);
}

bool iou_channel_begin(struct iou_channel *channel)
{
	struct iou_channel_slot *slot = channel->slot;

	if (!slot || !poll_policy_polls(&channel->policy))
		return false;
	if (shares_cpu(channel, &slot->service_cpu, &slot->client_cpu)) {
		if (!leave_cpu(channel->cpu)) {
			poll_policy_miss(&channel->policy);
			return false;
		}
		shares_cpu(channel, &slot->service_cpu, &slot->client_cpu);
	}
	atomic_store(&slot->state, IOU_CHANNEL_POLLING);
	return true;
}

int iou_channel_poll(struct iou_channel *channel, union iou_buffer *request)
{
	struct iou_channel_slot *slot = channel->slot;
	uint32_t state = poll_state(slot, IOU_CHANNEL_POLLING);

	if (state == IOU_CHANNEL_POLLING && change(channel, state, IOU_CHANNEL_SOCKET)) {
		poll_policy_miss(&channel->policy);
		return 0;
	}
	state = atomic_load_explicit(&slot->state, memory_order_acquire);
	if (state != IOU_CHANNEL_POSTED && state != IOU_CHANNEL_WAITING)
		return 0;
	poll_policy_hit(&channel->policy);
	return take(request, slot->request);
}

bool iou_channel_reply(struct iou_channel *channel, const void *reply, size_t size)
{
	memcpy(channel->slot->reply, reply, size);
	if (change(channel, IOU_CHANNEL_POSTED, IOU_CHANNEL_POLLING))
		return true;
	atomic_store(&channel->slot->state, IOU_CHANNEL_SOCKET);
	return false;
}

void iou_channel_divert(struct iou_channel *channel)
{
	change(channel, IOU_CHANNEL_POSTED, IOU_CHANNEL_WAITING);
}
