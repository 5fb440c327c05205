/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/programs/model.h"

#include <string.h>

#define COMMAND_MASTER 4 /* a message is a write by the device */

static bool anything_pending(const struct model_client *client)
{
	uint64_t any = 0;

	for (unsigned word = 0; word < DEXT_IRQ_WORDS; word++)
		any |= client->pending[word];
	return any;
}

static void notify(struct model_client *client)
{
	if (client->armed && anything_pending(client)) {
		client->armed = false;
		client->notified++;
	}
}

kern_return_t model_setup_interrupts(struct model_client *client, uint64_t *vectors)
{
	if (!client->claimed)
		return kIOReturnNotOpen;
	if (client->interrupts)
		return kIOReturnStillOpen;
	client->interrupts = true;
	for (unsigned vector = 0; vector < client->device->vectors; vector++)
		client->enabled[vector / 64] |= UINT64_C(1) << vector % 64;
	*vectors = client->device->vectors;
	return kIOReturnSuccess;
}

kern_return_t model_check_interrupt(struct model_client *client, uint64_t pending[DEXT_IRQ_WORDS])
{
	if (!client->interrupts)
		return kIOReturnNotReady;
	memcpy(pending, client->pending, sizeof(client->pending));
	memset(client->pending, 0, sizeof(client->pending));
	return kIOReturnSuccess;
}

kern_return_t model_set_mask(struct model_client *client, const uint64_t mask[DEXT_IRQ_WORDS])
{
	if (!client->interrupts)
		return kIOReturnNotReady;
	memcpy(client->enabled, mask, sizeof(client->enabled));
	return kIOReturnSuccess;
}

kern_return_t model_arm(struct model_client *client)
{
	if (!client->interrupts)
		return kIOReturnNotReady;
	client->armed = true;
	notify(client);
	return kIOReturnSuccess;
}

kern_return_t model_trigger(struct model *model, struct model_client *client, uint64_t vector)
{
	struct model_device *device = client->device;

	if (vector >= device->vectors)
		return kIOReturnBadArgument;
	if (!(model_command(device) & COMMAND_MASTER))
		return kIOReturnSuccess;
	for (size_t i = 0; i < MODEL_CLIENTS; i++) {
		struct model_client *other = &model->clients[i];
		uint64_t bit = UINT64_C(1) << vector % 64;

		if (other->device != device || !other->interrupts)
			continue;
		other->pending[vector / 64] |= bit & other->enabled[vector / 64];
		if (bit & other->enabled[vector / 64])
			notify(other);
	}
	return kIOReturnSuccess;
}
