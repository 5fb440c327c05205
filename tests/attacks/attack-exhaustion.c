/* SPDX-License-Identifier: BSD-3-Clause */
/* Resources that all clients share: connections and descriptors. */
#include "tests/attacks/attacker.h"
#include "tests/attacks/attacks.h"

#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 256 /* the limit of a process */

/* Connections that send nothing. */
static void silent_connections(const struct victim *victim)
{
	for (int i = 0; i < CONNECTIONS; i++)
		peer_dial(victim->service);
}

/* Connections that open a client, and stay. */
static void greeted_connections(const struct victim *victim)
{
	struct peer peer;

	for (int i = 0; i < CONNECTIONS; i++)
		if (!peer_greet(&peer, victim->service))
			return;
}

/*
 * A connection that holds as many of the service's descriptors as possible: its own, that of its
 * process, of its memory, and a port. Return: false when the service refuses.
 */
static bool hold_descriptors(const struct victim *victim)
{
	static char private_byte;
	const struct iou_range range = {
		.va = (uintptr_t)&private_byte, .length = 1, .fd_index = IOU_RANGE_PRIVATE
	};
	uint64_t vectors, iova = (uint64_t)getpid() << 20;
	union iou_buffer reply;
	struct peer peer;
	int ends[2];
	const struct peer_call arm = { .selector = DEXT_SELECTOR_WaitInterrupt,
		.flags = IOU_CALL_ASYNC,
		.fds = ends,
		.fd_count = 1 };

	if (!peer_open(&peer, victim->service, ATTACKED_BUS) ||
		peer_scalars(&peer, DEXT_SELECTOR_Claim, NULL, 0, NULL, 0) != kIOReturnSuccess ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	peer_scalars(&peer, DEXT_SELECTOR_SetupInterrupts, NULL, 0, &vectors, 1);
	peer_call(&peer, &arm, &reply);
	peer_register(&peer, iova + (uint64_t)peer.fd, 1, &range, 1, NULL, 0);
	close(ends[0]);
	return true;
}

static void descriptors(const struct victim *victim)
{
	for (int i = 0; i < CONNECTIONS; i++)
		if (!hold_descriptors(victim))
			return;
}

const struct attack attacks_exhaustion[] = {
	{ .name = "exhaustion/silence",
		.tries = "to take all places, saying nothing",
		.user = AS_STRANGER_ONLY,
		.processes = 4,
		.run = silent_connections },
	{ .name = "exhaustion/greetings",
		.tries = "to take all places, politely",
		.user = AS_STRANGER_ONLY,
		.processes = 4,
		.run = greeted_connections },
	{ .name = "exhaustion/descriptors",
		.tries = "to use up the service's descriptors",
		.user = AS_STRANGER_ONLY,
		.processes = 4,
		.run = descriptors },
	{ .name = NULL },
};
