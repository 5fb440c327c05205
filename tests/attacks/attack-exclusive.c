/* SPDX-License-Identifier: BSD-3-Clause */
/* What another user can see of, or do to, a device that somebody else has claimed exclusively. */
#include "tests/attacks/attacker.h"
#include "tests/attacks/attacks.h"

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
			got_through("%s is carried out", forbidden[i].name);
}

const struct attack attacks_exclusive[] = {
	{ .name = "exclusive/map", .tries = "to see what the owner of a device does",
		.user = AS_STRANGER_ONLY, .run = map_memory },
	{ .name = "exclusive/selectors", .tries = "to change what the owner of a device does",
		.user = AS_STRANGER_ONLY, .run = selectors },
	{ .name = NULL },
};
