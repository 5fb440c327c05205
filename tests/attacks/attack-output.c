/* SPDX-License-Identifier: BSD-3-Clause */
/* Uninitialized bytes of the service's stack or heap in its replies. */
#include "tests/attacks/attacker.h"
#include "tests/attacks/attacks.h"

#include <string.h>

#define SELECTOR(number, name, in, out, needs) { number, #name, in, out },
static const struct {
	uint32_t selector;
	const char *name;
	uint8_t in, out;
} selectors[] = { DEXT_SELECTORS(SELECTOR) DEXT_EXTENSION_SELECTORS(SELECTOR) };
#undef SELECTOR

/* Size of an entry of the list after the scalars; 0: none. */
static size_t entry_size(uint32_t selector)
{
	switch (selector) {
	case DEXT_SELECTOR_GetDMASegments:
		return sizeof(struct dext_segment);
	case DEXT_SELECTOR_GetDMARegions:
		return sizeof(struct dext_region_info);
	case DEXT_SELECTOR_GetClients:
		return sizeof(struct dext_client_info);
	default:
		return 0;
	}
}

static bool ends_the_device(uint32_t selector)
{
	return selector == DEXT_SELECTOR_Terminate || selector == DEXT_SELECTOR_RemoveDevice;
}

/* With the largest output size, a reply has the selector's outputs and no more. */
static void expect_no_surplus(struct peer *peer, size_t index, uint32_t scalar_room)
{
	static const uint64_t scalars[IOUSER_SCALARS_MAX];
	const struct peer_call call = { .selector = selectors[index].selector,
		.scalars = scalars,
		.scalar_count = selectors[index].in,
		.scalar_room = scalar_room,
		.structure_room = IOUSER_STRUCT_MAX };
	size_t size = entry_size(call.selector), given;
	union iou_buffer reply;

	memset(&reply, 0, sizeof(reply));
	if (peer_call(peer, &call, &reply) != kIOReturnSuccess) {
		if (reply.header.size > sizeof(reply.header))
			got_through("%s fails and gives %u bytes", selectors[index].name,
				reply.header.size);
		return;
	}
	given = reply.call_reply.structure_output_size;
	if (reply.call_reply.scalar_output_count != selectors[index].out)
		got_through("%s gives %u scalars", selectors[index].name,
			reply.call_reply.scalar_output_count);
	if (size ? given % size != 0 : given != 0)
		got_through("%s gives %zu bytes", selectors[index].name, given);
}

static void calls(const struct victim *victim)
{
	struct peer peer;

	if (!peer_claim_when_free(&peer, victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim))
		got_through("the device cannot be claimed");
	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
		if (ends_the_device(selectors[i].selector))
			continue;
		expect_no_surplus(&peer, i, selectors[i].out);
		expect_no_surplus(&peer, i, IOUSER_SCALARS_MAX);
	}
}

/* Also after the end of a string. */
static void expect_zeroes_behind(const char *text, size_t size)
{
	for (size_t i = strnlen(text, size); i < size; i++)
		if (text[i])
			got_through("an entry holds bytes behind the end of a name");
}

static void list(const struct victim *victim)
{
	struct iou_header request = { .type = IOU_LIST };
	union iou_buffer message;
	struct iou_fds fds;
	struct peer peer;

	if (!peer_greet(&peer, victim->service) ||
		!peer_send(&peer, IOU_LIST, &request, sizeof(request), NULL, 0))
		got_through("the service does not answer");
	while (peer_receive(&peer, &message, &fds) > 0 && message.header.type == IOU_ENTRY) {
		expect_zeroes_behind(message.entry.name, IOU_NAME_MAX);
		expect_zeroes_behind(message.entry.user_class, IOU_NAME_MAX);
	}
}

const struct attack attacks_output[] = {
	{ .name = "output/calls",
		.tries = "to read the service's stack from answers to calls",
		.run = calls },
	{ .name = "output/list", .tries = "the same from the list of services", .run = list },
	{ .name = NULL },
};
