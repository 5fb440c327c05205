/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors whose close() blocks, in every message that can carry one. An accomplice claims the
 * device, sends the descriptor and exits: another client must get the device.
 */
#include "tests/attacks/attacker.h"
#include "tests/attacks/attacks.h"
#include "tests/attacks/descriptors.h"

#include <unistd.h>

/* From this number of connections of one process, further ones are refused. */
#define REFUSED_FROM 256
#define REFUSED	     16

struct delivery {
	const struct victim *victim;
	int fd;
};

/* Each of these sends the descriptor, keeps no copy, and does not wait for a reply. */

static void in_a_call(const void *context)
{
	const struct delivery *delivery = context;
	const struct peer_call call = { .selector = DEXT_SELECTOR_GetIdentity,
		.scalar_room = DEXT_OUT_GetIdentity,
		.fds = &delivery->fd,
		.fd_count = 1 };
	struct peer peer;

	if (peer_claim_when_free(
		    &peer, delivery->victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim))
		peer_send_call(&peer, &call);
	close_sent(delivery->fd);
}

static void as_a_port(const void *context)
{
	const struct delivery *delivery = context;
	const struct peer_call call = { .selector = DEXT_SELECTOR_WaitInterrupt,
		.flags = IOU_CALL_ASYNC,
		.fds = &delivery->fd,
		.fd_count = 1 };
	uint64_t vectors;
	struct peer peer;

	if (peer_claim_when_free(
		    &peer, delivery->victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim) &&
		peer_scalars(&peer, DEXT_SELECTOR_SetupInterrupts, NULL, 0, &vectors, 1) ==
			kIOReturnSuccess)
		peer_send_call(&peer, &call);
	close_sent(delivery->fd);
}

static void as_an_eventfd(const void *context)
{
	const struct delivery *delivery = context;
	const uint64_t in[DEXT_IN_SetInterruptEventfds] = { 0, 1 };
	const struct peer_call call = { .selector = DEXT_SELECTOR_SetInterruptEventfds,
		.scalars = in,
		.scalar_count = DEXT_IN_SetInterruptEventfds,
		.fds = &delivery->fd,
		.fd_count = 1 };
	const uint64_t vector = 0;
	uint64_t vectors;
	struct peer peer;

	/* Where it is accepted, it is signalled as well. */
	if (peer_claim_when_free(
		    &peer, delivery->victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim) &&
		peer_scalars(&peer, DEXT_SELECTOR_SetupInterrupts, NULL, 0, &vectors, 1) ==
			kIOReturnSuccess &&
		peer_send_call(&peer, &call))
		peer_scalars(&peer, DEXT_SELECTOR_TriggerInterrupt, &vector, 1, NULL, 0);
	close_sent(delivery->fd);
}

static void as_memory(const void *context)
{
	const struct delivery *delivery = context;
	const struct iou_range range = { .va = 0x10000, .length = 0x1000, .writable = 1 };
	struct peer peer;

	if (peer_claim_when_free(
		    &peer, delivery->victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim))
		peer_send_register(&peer, 0, 0x1000, &range, 1, &delivery->fd, 1);
	close_sent(delivery->fd);
}

static void with_the_greeting(const void *context)
{
	const struct delivery *delivery = context;
	struct iou_hello hello = { .magic = IOU_MAGIC, .major = IOU_VERSION_MAJOR };
	struct peer peer = { .fd = peer_dial(delivery->victim->service) };

	peer_send(&peer, IOU_HELLO, &hello, sizeof(hello), &delivery->fd, 1);
	close_sent(delivery->fd);
}

static void expect_device(const struct victim *victim, const char *kind)
{
	struct peer peer;

	if (!peer_claim_when_free(
		    &peer, victim->service, ATTACKED_BUS, DEXT_SELECTOR_ClaimExclusive))
		got_through("%s: the device stays a dead client's", kind);
	close(peer.fd);
}

/* Each kind by a second process that exits; then all of them by this process, which stays connected. */
static void deliver(const struct victim *victim, void (*act)(const void *context))
{
	for (size_t i = 0; i < descriptor_kind_count; i++) {
		struct delivery delivery = { victim, descriptor_kinds[i].make() };
		pid_t accomplice;

		if (delivery.fd < 0)
			continue;
		accomplice = accomplice_start(act, &delivery);
		close_sent(delivery.fd);
		if (!accomplice_wait(accomplice))
			got_through("%s: the service does not serve", descriptor_kinds[i].name);
		expect_device(victim, descriptor_kinds[i].name);
	}
	for (size_t i = 0; i < descriptor_kind_count; i++) {
		struct delivery delivery = { victim, descriptor_kinds[i].make() };

		if (delivery.fd >= 0)
			act(&delivery);
	}
}

static void call(const struct victim *victim)
{
	deliver(victim, in_a_call);
}

static void port(const struct victim *victim)
{
	deliver(victim, as_a_port);
}

static void eventfd_of_a_vector(const struct victim *victim)
{
	deliver(victim, as_an_eventfd);
}

static void memory(const struct victim *victim)
{
	deliver(victim, as_memory);
}

static void greeting(const struct victim *victim)
{
	deliver(victim, with_the_greeting);
}

/* A refused connection gets a status; the service must then close what it sent. */
static void refused(const struct victim *victim)
{
	for (int i = 0; i < REFUSED_FROM; i++)
		peer_dial(victim->service);
	for (int i = 0; i < REFUSED; i++) {
		const struct delivery delivery = { victim, make_lingering() };

		with_the_greeting(&delivery);
	}
}

const struct attack attacks_descriptors[] = {
	{ .name = "descriptors/call",
		.tries = "to keep a device, and the service's end, waiting for a close()",
		.run = call },
	{ .name = "descriptors/port",
		.tries = "the same, with the port of an asynchronous call",
		.run = port },
	{ .name = "descriptors/eventfd",
		.tries = "the same, and to keep the device's thread waiting in a signal",
		.run = eventfd_of_a_vector },
	{ .name = "descriptors/memory",
		.tries = "the same, with a descriptor as memory",
		.run = memory },
	{ .name = "descriptors/greeting",
		.tries = "the same, before anything has been agreed on",
		.run = greeting },
	{ .name = "descriptors/turned-away",
		.tries = "the same, on connections that are refused",
		.run = refused },
	{ .name = NULL },
};
