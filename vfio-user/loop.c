/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/fd-dispose.h"
#include "vfio-user/log.h"
#include "vfio-user/loop.h"
#include "vfio-user/platform.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* How long not to accept when there are no descriptors or no memory for it. */
#define SHORTAGE_MS 100

enum { STOP, LISTEN, CLIENT, CONTROLS, ENTRIES = CONTROLS + VU_INTX_CONTROLS };

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

/* Tick if it is time to. @timeout: set to how long poll() may wait. Return: as loop->tick. */
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

static void fill_in(const struct vu_loop *loop, struct pollfd *entries, int fd, short events)
{
	entries[STOP] = (struct pollfd){ .fd = loop->stop_fd, .events = POLLIN };
	entries[LISTEN] = (struct pollfd){ .fd = loop->listen_fd, .events = POLLIN };
	entries[CLIENT] = (struct pollfd){ .fd = fd, .events = events };
	for (size_t i = CONTROLS; i < ENTRIES; i++)
		entries[i] = (struct pollfd){ .fd = -1 };
	if (loop->irq)
		vu_irq_fill_poll(loop->irq, entries + CONTROLS);
}

/*
 * Look for a message without sleeping, where messages have been coming quickly: waking up costs
 * more than a message does. Nothing else is looked for in this short time.
 */
static bool poll_for_message(struct vu_loop *loop, int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	uint64_t deadline;

	if (loop->poll_us == 0 || !poll_policy_polls(&loop->policy))
		return false;
	deadline = now_us() + loop->poll_us;
	do {
		if (poll(&entry, 1, 0) > 0) {
			poll_policy_hit(&loop->policy);
			return true;
		}
	} while (now_us() < deadline);
	poll_policy_miss(&loop->policy);
	return false;
}

bool vu_loop_wait(void *context, int fd, short events)
{
	struct vu_loop *loop = context;
	struct pollfd entries[ENTRIES];
	bool shortage = false;
	uint64_t began;

	if (events == POLLIN && loop->next_tick > now_ms() && poll_for_message(loop, fd))
		return true;
	began = now_us();
	for (;;) {
		int timeout;

		if (!tick(loop, &timeout))
			return false;
		fill_in(loop, entries, fd, events);
		if (shortage)
			entries[LISTEN].fd = -1;
		if (shortage && (timeout < 0 || timeout > SHORTAGE_MS))
			timeout = SHORTAGE_MS;
		if (poll(entries, ENTRIES, timeout) < 0) {
			if (errno != EINTR)
				return true;
			continue;
		}
		shortage = false;
		if (entries[STOP].revents != 0)
			return false;
		if (loop->irq)
			vu_irq_handle_poll(loop->irq, entries + CONTROLS);
		/* When the client has just gone, whoever knocks is the next. */
		if (entries[LISTEN].revents != 0 &&
			(entries[CLIENT].revents & (POLLHUP | POLLERR)) == 0)
			shortage = !turn_away(loop);
		if (entries[CLIENT].revents != 0) {
			poll_policy_waited(&loop->policy, now_us() - began < loop->poll_us);
			return true;
		}
	}
}

int vu_loop_accept(struct vu_loop *loop)
{
	for (;;) {
		struct pollfd entries[2] = {
			{ .fd = loop->stop_fd, .events = POLLIN },
			{ .fd = loop->listen_fd, .events = POLLIN },
		};
		int fd, timeout;

		if (!tick(loop, &timeout))
			return -3;
		if (poll(entries, 2, timeout) < 0 && errno != EINTR)
			return -2;
		if (entries[0].revents != 0)
			return -1;
		if (entries[1].revents == 0)
			continue;
		fd = vu_platform_accept(loop->listen_fd);
		if (fd >= 0)
			return fd;
		if (is_shortage(errno))
			poll(entries, 1, SHORTAGE_MS);
		else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return -2;
	}
}
