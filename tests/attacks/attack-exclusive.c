/* SPDX-License-Identifier: BSD-3-Clause */
/* Access of another user to a device that a client has claimed exclusively. */
#include "tests/attacks/attacker.h"
#include "tests/attacks/attacks.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

static void open_honest(struct peer *peer, const struct victim *victim)
{
	if (!peer_open(peer, victim->service, HONEST_BUS))
		got_through("the service does not serve");
}

static void map_memory(const struct victim *victim)
{
	struct iou_map map = { .reserved = 0 };
	union iou_buffer reply;
	struct iou_fds fds;
	struct peer peer;

	open_honest(&peer, victim);
	for (uint32_t type = 0; type <= DEXT_MEMORY_TRACE; type++) {
		if (type == DEXT_MEMORY_TYPES)
			type = DEXT_MEMORY_TRACE;
		map.memory_type = type;
		if (!peer_send(&peer, IOU_MAP, &map, sizeof(map), NULL, 0) ||
			peer_receive(&peer, &reply, &fds) <= 0)
			got_through("the service does not answer");
		if (reply.header.status == kIOReturnSuccess)
			got_through("memory of type 0x%x can be mapped", type);
	}
}

static const struct {
	uint32_t selector;
	const char *name;
	uint8_t in, out;
} forbidden[] = {
	{ DEXT_SELECTOR_Claim, "Claim", DEXT_IN_Claim, DEXT_OUT_Claim },
	{ DEXT_SELECTOR_ConfigWrite, "ConfigWrite", DEXT_IN_ConfigWrite, DEXT_OUT_ConfigWrite },
	{ DEXT_SELECTOR_MMIORead, "MMIORead", DEXT_IN_MMIORead, DEXT_OUT_MMIORead },
	{ DEXT_SELECTOR_SetupInterrupts, "SetupInterrupts", DEXT_IN_SetupInterrupts,
		DEXT_OUT_SetupInterrupts },
	{ DEXT_SELECTOR_ResetDevice, "ResetDevice", DEXT_IN_ResetDevice, DEXT_OUT_ResetDevice },
	{ DEXT_SELECTOR_TriggerInterrupt, "TriggerInterrupt", DEXT_IN_TriggerInterrupt,
		DEXT_OUT_TriggerInterrupt },
	{ DEXT_SELECTOR_GetDMARegions, "GetDMARegions", DEXT_IN_GetDMARegions,
		DEXT_OUT_GetDMARegions },
	{ DEXT_SELECTOR_RemoveDevice, "RemoveDevice", DEXT_IN_RemoveDevice, DEXT_OUT_RemoveDevice },
	{ DEXT_SELECTOR_Terminate, "Terminate", DEXT_IN_Terminate, DEXT_OUT_Terminate },
};

static void selectors(const struct victim *victim)
{
	static const uint64_t in[IOUSER_SCALARS_MAX] = { 8, 4 };
	uint64_t out[IOUSER_SCALARS_MAX];
	struct peer peer;

	open_honest(&peer, victim);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (peer_scalars(&peer, forbidden[i].selector, in, forbidden[i].in, out,
			    forbidden[i].out) == kIOReturnSuccess)
			got_through("%s is executed", forbidden[i].name);
}

#define REG_AQA 0x24 /* NVMe 1.4, section 3.1.8: a writable register */
#define PATTERN 0x00070005u

static volatile uint32_t *map_bar(struct peer *peer)
{
	struct iou_map map = { .memory_type = DEXT_MEMORY_BAR0 };
	union iou_buffer reply;
	struct iou_fds fds;
	void *bar;

	if (!peer_send(peer, IOU_MAP, &map, sizeof(map), NULL, 0) ||
		peer_receive(peer, &reply, &fds) <= 0 || fds.count != 1)
		got_through("a BAR of a claimed device cannot be mapped");
	bar = mmap(NULL, reply.map_reply.size, PROT_READ | PROT_WRITE, MAP_SHARED, fds.fd[0],
		(off_t)reply.map_reply.offset);
	if (bar == MAP_FAILED)
		got_through("a BAR's descriptor cannot be mapped");
	return bar;
}

/* When no other client has a claim. If the driver requires it, BAR 0 is unmapped first. */
static bool make_exclusive(struct peer *peer)
{
	struct iou_map unmap = { .memory_type = DEXT_MEMORY_BAR0 };
	kern_return_t status;

	for (int i = 0; i < ATTACK_TIMEOUT_SECONDS * 100; i++, poll(NULL, 0, 10)) {
		status = peer_scalars(peer, DEXT_SELECTOR_ClaimExclusive, NULL, 0, NULL, 0);
		if (status == kIOReturnSuccess)
			return true;
		if (status == kIOReturnBusy)
			peer_send(peer, IOU_UNMAP, &unmap, sizeof(unmap), NULL, 0);
	}
	return false;
}

/* Two clients share the device and its BAR; one disconnects, and keeps its mapping. */
static void kept_mapping(const struct victim *victim)
{
	const uint64_t write[DEXT_IN_MMIOWrite] = { 0, REG_AQA, 4, PATTERN };
	volatile uint32_t *kept, *mapped;
	struct peer before, after;

	if (!peer_claim_when_free(&before, victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim) ||
		!peer_claim_when_free(&after, victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim))
		got_through("the device cannot be claimed");
	kept = map_bar(&before);
	map_bar(&after);
	close(before.fd);
	if (!make_exclusive(&after))
		got_through("a disconnected client keeps its claim");
	mapped = map_bar(&after);
	if (peer_scalars(&after, DEXT_SELECTOR_MMIOWrite, write, DEXT_IN_MMIOWrite, NULL, 0) !=
			kIOReturnSuccess ||
		mapped[REG_AQA / 4] != PATTERN)
		got_through("the device does not work");
	if (kept[REG_AQA / 4] == PATTERN)
		got_through("a mapping that was kept shows the next owner's registers");
	kept[REG_AQA / 4] = 0;
	if (mapped[REG_AQA / 4] != PATTERN)
		got_through("a mapping that was kept changes the next owner's registers");
}

const struct attack attacks_exclusive[] = {
	{ .name = "exclusive/map",
		.tries = "to see what the owner of a device does",
		.user = AS_STRANGER_ONLY,
		.run = map_memory },
	{ .name = "exclusive/selectors",
		.tries = "to change what the owner of a device does",
		.user = AS_STRANGER_ONLY,
		.run = selectors },
	{ .name = "exclusive/kept-mapping",
		.tries = "to reach registers by a mapping from before the claim",
		.run = kept_mapping },
	{ .name = NULL },
};
