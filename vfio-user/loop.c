/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/log.h"
#include "vfio-user/loop.h"
#include "vfio-user/platform.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* How long not to accept when there are no descriptors or no memory for it. */
#define SHORTAGE_MS 100

enum { STOP, LISTEN, CLIENT, CONTROLS, ENTRIES = CONTROLS + VU_INTX_CONTROLS };

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Another client knocks. Return: false when it stays in the queue for want of descriptors. */
static bool turn_away(struct vu_loop *loop)
{
	int fd = vu_platform_accept(loop->listen_fd);

	if (fd < 0)
		return !is_shortage(errno);
	close(fd);
	vu_log("device %s: a second client was turned away: one is connected", loop->name);
	return true;
}

static void fill_in(const struct vu_loop *loop, struct pollfd *entries, int fd, short events)
{
	entries[STOP] = (struct pollfd){.fd = loop->stop_fd, .events = POLLIN};
	entries[LISTEN] = (struct pollfd){.fd = loop->listen_fd, .events = POLLIN};
	entries[CLIENT] = (struct pollfd){.fd = fd, .events = events};
	for (size_t i = CONTROLS; i < ENTRIES; i++)
		entries[i] = (struct pollfd){.fd = -1};
	if (loop->irq)
		vu_irq_poll(loop->irq, entries + CONTROLS);
}

bool vu_loop_wait(void *context, int fd, short events)
{
	struct vu_loop *loop = context;
	struct pollfd entries[ENTRIES];
	bool shortage = false;

	for (;;) {
		fill_in(loop, entries, fd, events);
		if (shortage)
			entries[LISTEN].fd = -1;
		if (poll(entries, ENTRIES, shortage ? SHORTAGE_MS : -1) < 0) {
			if (errno != EINTR)
				return true;
			continue;
		}
		shortage = false;
		if (entries[STOP].revents != 0)
			return false;
		if (loop->irq)
			vu_irq_polled(loop->irq, entries + CONTROLS);
		/*
		 * The client first: it may just have gone, and then whoever knocks
		 * is the next.
		 */
		if (entries[CLIENT].revents != 0)
			return true;
		if (entries[LISTEN].revents != 0)
			shortage = !turn_away(loop);
	}
}

int vu_loop_accept(struct vu_loop *loop)
{
	for (;;) {
		struct pollfd entries[2] = {
			{.fd = loop->stop_fd, .events = POLLIN},
			{.fd = loop->listen_fd, .events = POLLIN},
		};
		int fd;

		if (poll(entries, 2, -1) < 0 && errno != EINTR)
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
