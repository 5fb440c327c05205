/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/fd-dispose.h"
#include "vfio-user/log.h"
#include "vfio-user/loop.h"
#include "vfio-user/platform.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* A wait that ends in so many times the time that polling may take was short: it contains wake-ups. */
#define SHORT_WAIT 2
/* While it polls for a message, everything else is looked at once in so many tries. */
#define TRIES_PER_LOOK 8

/* How long not to accept when there are no descriptors or no memory for it. */
#define SHORTAGE_MS 100

enum { STOP, LISTEN, CLIENT, CONTROLS, ENTRIES = CONTROLS + VU_INTX_CONTROLS };
_Static_assert(ENTRIES <= VU_WAIT_ENTRIES_MAX, "one wait is for all of them");

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t now_ms(void)
{
	return now_us() / 1000;
}

/* Tick if it is time to. @timeout: set to how long the wait may take. Return: as loop->tick. */
static bool tick(struct vu_loop *loop, int *timeout)
{
	uint64_t interval = loop->tick_ms != 0 ? loop->tick_ms : VU_TICK_MS;
	uint64_t now;
	bool wanted = true;

	*timeout = -1;
	if (!loop->tick)
		return true;
	now = now_ms();
	if (loop->next_tick == 0 || loop->next_tick > now + interval)
		loop->next_tick = now + interval;
	if (now >= loop->next_tick) {
		wanted = loop->tick(loop->tick_context);
		now = now_ms();
		loop->next_tick = now + interval;
	}
	*timeout = (int)(loop->next_tick - now);
	return wanted;
}

/* Descriptors that were sent and not received are closed with the socket, and that may wait. */
void vu_loop_close_client(int fd)
{
	struct fd_peer *peer = fd_peer_create(vu_platform_peer_user(fd));

	shutdown(fd, SHUT_RDWR);
	if (peer)
		fd_peer_charge(peer, 1);
	fd_dispose(fd, peer);
	fd_peer_release(peer);
}

/* Another client knocks. Return: false when it stays in the queue for want of descriptors. */
static bool turn_away(struct vu_loop *loop)
{
	int fd = vu_platform_accept(loop->listen_fd);

	if (fd < 0)
		return !is_shortage(errno);
	vu_loop_close_client(fd);
	vu_log("device %s: a second client was turned away: one is connected", loop->name);
	return true;
}

/* The entries that are there whether a client is or not. */
static void fill_in_server(const struct vu_loop *loop, struct vu_wait_entry *entries)
{
	entries[STOP] = (struct vu_wait_entry){ .fd = loop->stop_fd, .events = POLLIN };
	entries[LISTEN] = (struct vu_wait_entry){ .fd = loop->listen_fd, .events = POLLIN };
}

static void fill_in_client(
	const struct vu_loop *loop, struct vu_wait_entry *entries, int fd, short events)
{
	entries[CLIENT] =
		(struct vu_wait_entry){ .fd = fd, .serial = loop->clients, .events = events };
	for (size_t i = CONTROLS; i < ENTRIES; i++)
		entries[i] = (struct vu_wait_entry){ .fd = -1 };
	if (loop->irq)
		vu_irq_fill_wait(loop->irq, entries + CONTROLS);
}

enum look { LOOK_STOP, LOOK_READY, LOOK_NOTHING };

/* Wait for at most @timeout_ms, -1 without limit, and do what is to do besides serving the client. */
static enum look look(struct vu_loop *loop, int fd, short events, int timeout_ms)
{
	struct vu_wait_entry entries[ENTRIES];
	int until_tick;

	if (!tick(loop, &until_tick))
		return LOOK_STOP;
	if (timeout_ms < 0 || (until_tick >= 0 && until_tick < timeout_ms))
		timeout_ms = until_tick;
	fill_in_server(loop, entries);
	fill_in_client(loop, entries, fd, events);
	if (loop->shortage) {
		entries[LISTEN].fd = -1;
		if (timeout_ms < 0 || timeout_ms > SHORTAGE_MS)
			timeout_ms = SHORTAGE_MS;
	}
	if (vu_wait_for(loop->wait, entries, ENTRIES, timeout_ms) < 0)
		return errno == EINTR ? LOOK_NOTHING : LOOK_READY;
	loop->shortage = false;
	if (entries[STOP].revents != 0)
		return LOOK_STOP;
	if (loop->irq)
		vu_irq_handle_wait(loop->irq, entries + CONTROLS);
	/* If the client has disconnected, a new connection is the next session. */
	if (entries[LISTEN].revents != 0 && (entries[CLIENT].revents & (POLLHUP | POLLERR)) == 0)
		loop->shortage = !turn_away(loop);
	return entries[CLIENT].revents != 0 ? LOOK_READY : LOOK_NOTHING;
}

/* Whether to poll for a message now. What was polled for has come unless it is @again. */
static bool polls(struct vu_loop *loop, bool again)
{
	if (!again && loop->poll_until != 0) {
		poll_policy_hit(&loop->policy);
		loop->poll_until = 0;
	}
	if (!again && loop->poll_us != 0 && poll_policy_polls(&loop->policy))
		loop->poll_until = now_us() + loop->poll_us;
	else if (loop->poll_until != 0 && now_us() >= loop->poll_until) {
		poll_policy_miss(&loop->policy);
		loop->poll_until = 0;
	}
	return loop->poll_until != 0;
}

bool vu_loop_wait(void *context, int fd, short events, bool again)
{
	struct vu_loop *loop = context;
	enum look found;
	uint64_t began;

	if (events == POLLIN && polls(loop, again))
		return ++loop->polls % TRIES_PER_LOOK != 0 ||
		       look(loop, fd, events, 0) != LOOK_STOP;
	began = now_us();
	do
		found = look(loop, fd, events, -1);
	while (found == LOOK_NOTHING);
	poll_policy_waited(&loop->policy, now_us() - began < (uint64_t)loop->poll_us * SHORT_WAIT);
	return found != LOOK_STOP;
}

int vu_loop_accept(struct vu_loop *loop)
{
	for (;;) {
		struct vu_wait_entry entries[CLIENT];
		int fd, timeout;

		if (!tick(loop, &timeout))
			return -3;
		fill_in_server(loop, entries);
		if (vu_wait_for(loop->wait, entries, CLIENT, timeout) < 0) {
			if (errno != EINTR)
				return -2;
			continue;
		}
		if (entries[STOP].revents != 0)
			return -1;
		if (entries[LISTEN].revents == 0)
			continue;
		fd = vu_platform_accept(loop->listen_fd);
		if (fd >= 0)
			return fd;
		if (is_shortage(errno))
			vu_wait_for(loop->wait, entries, LISTEN, SHORTAGE_MS);
		else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return -2;
	}
}
