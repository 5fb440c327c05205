/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts, the IRQ state page and notifications. */
#include "tests/programs/property.h"

#include <time.h>

static void setup(struct property *property, struct property_client *client)
{
	uint64_t expected = 0;
	kern_return_t status = model_setup_interrupts(client->model, &expected);
	uint32_t got = 0;

	property_say(property, client, "set interrupts up");
	if (property_status(
		    property, apple_dext_setup_interrupts(client->connection, &got), status))
		property_value(property, "vectors", got, expected);
}

/* Bits after the device's vectors are ignored. */
static uint64_t vectors_of(const struct property_client *client, unsigned word)
{
	unsigned vectors = client->model->device->vectors;

	if (vectors >= 64 * (word + 1))
		return UINT64_MAX;
	return vectors > 64 * word ? (UINT64_C(1) << (vectors - 64 * word)) - 1 : 0;
}

static void check(struct property *property, struct property_client *client)
{
	uint64_t got[DEXT_IRQ_WORDS] = { 0 }, expected[DEXT_IRQ_WORDS];
	kern_return_t status = model_check_interrupt(client->model, expected);

	property_say(property, client, "read pending");
	if (!property_status(
		    property, apple_dext_read_pending_irqs(client->connection, got), status))
		return;
	for (unsigned word = 0; word < DEXT_IRQ_WORDS; word++)
		property_value(property, "pending", got[word], expected[word]);
}

static void set_mask(struct property *property, struct property_client *client)
{
	uint64_t mask[DEXT_IRQ_WORDS];

	for (unsigned word = 0; word < DEXT_IRQ_WORDS; word++)
		mask[word] = property_one_in(property, 2) ? UINT64_MAX : property_random(property);
	property_say(property, client, "mask %#llx %#llx", (unsigned long long)mask[0],
		(unsigned long long)mask[1]);
	property_status(property, apple_dext_set_irq_mask(client->connection, mask),
		model_set_mask(client->model, mask));
}

#define NOTIFY_SECONDS 30

/* Notifications arrive asynchronously. */
static void wait_notified(struct property *property, struct property_client *client)
{
	for (unsigned i = 0; i < NOTIFY_SECONDS * 10000; i++) {
		if (atomic_load(&client->notified) == client->model->notified)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	property_value(
		property, "notifications", atomic_load(&client->notified), client->model->notified);
}

static void trigger(struct property *property, struct property_client *client)
{
	unsigned vectors = client->model->device->vectors;
	uint64_t vector = property_below(property, property_one_in(property, 8) ? 300 : vectors);

	property_say(property, client, "trigger vector %llu", (unsigned long long)vector);
	property_status(property,
		apple_dext_trigger_interrupt(client->connection, (uint32_t)vector),
		model_trigger(&property->model, client->model, vector));
	for (size_t i = 0; i < MODEL_CLIENTS; i++)
		if (property->clients[i].model->device)
			wait_notified(property, &property->clients[i]);
}

static void map_page(struct property *property, struct property_client *client)
{
	struct property_map *map = property_free_map(client);

	if (!map)
		return;
	property_say(property, client, "map IRQ state");
	if (!property_status(property, apple_dext_map_irq_state(client->connection, &map->address),
		    client->model->interrupts ? kIOReturnSuccess : kIOReturnNotReady)) {
		map->address = 0;
		return;
	}
	map->type = DEXT_MEMORY_IRQ_STATE;
	map->size = DEXT_IRQ_STATE_SIZE;
	map->buffer = 0;
}

static void unmap_page(struct property *property, struct property_client *client)
{
	struct property_map *map = property_pick_map(property, client, DEXT_MEMORY_IRQ_STATE);

	if (!map)
		return;
	property_say(property, client, "unmap IRQ state");
	property_status(property, apple_dext_unmap_irq_state(client->connection, map->address),
		kIOReturnSuccess);
	map->address = 0;
}

static void use_page(struct property *property, struct property_client *client)
{
	struct property_map *map = property_pick_map(property, client, DEXT_MEMORY_IRQ_STATE);
	unsigned word = (unsigned)property_below(property, DEXT_IRQ_WORDS);
	uint64_t value = property_random(property) | property_random(property);
	struct dext_irq_state *state;
	uint64_t vectors;

	if (!map)
		return;
	state = (struct dext_irq_state *)(uintptr_t)map->address;
	vectors = vectors_of(client, word);
	property_say(property, client, "read the IRQ state, word %u", word);
	property_value(property, "pending",
		__atomic_load_n(&state->pending[word], __ATOMIC_SEQ_CST),
		client->model->pending[word]);
	property_value(property, "enabled",
		__atomic_load_n(&state->enabled[word], __ATOMIC_SEQ_CST) & vectors,
		client->model->enabled[word] & vectors);
	if (property_one_in(property, 2)) {
		property_say(property, client, "enable %#llx there", (unsigned long long)value);
		__atomic_store_n(&state->enabled[word], value, __ATOMIC_SEQ_CST);
		client->model->enabled[word] = value;
	} else {
		property_say(property, client, "clear the pending bits there");
		value = __atomic_exchange_n(&state->pending[word], 0, __ATOMIC_SEQ_CST);
		property_value(property, "pending", value, client->model->pending[word]);
		client->model->pending[word] = 0;
	}
}

static void handle(void *opaque)
{
	atomic_fetch_add((atomic_uint *)opaque, 1);
}

static void create_notify(struct property *property, struct property_client *client)
{
	kern_return_t expected;

	if (client->notify)
		return;
	property_say(property, client, "create notification");
	expected = model_arm(client->model);
	client->notify =
		apple_dext_interrupt_notify_create(client->connection, handle, &client->notified);
	property_value(
		property, "notification", client->notify != NULL, expected == kIOReturnSuccess);
	wait_notified(property, client);
}

static void rearm(struct property *property, struct property_client *client)
{
	property_say(property, client, "rearm notification");
	property_status(property, apple_dext_interrupt_notify_rearm(client->notify),
		client->notify ? model_arm(client->model) : kIOReturnBadArgument);
	wait_notified(property, client);
}

static void destroy_notify(struct property *property, struct property_client *client)
{
	property_say(property, client, "destroy notification");
	apple_dext_interrupt_notify_destroy(client->notify);
	client->notify = NULL;
	client->model->armed = false;
	property_value(
		property, "notifications", atomic_load(&client->notified), client->model->notified);
}

const struct property_row property_irqs[] = {
	{ setup, 6, true },
	{ check, 6, true },
	{ set_mask, 4, true },
	{ trigger, 12, false },
	{ map_page, 2, true },
	{ unmap_page, 1, true },
	{ use_page, 6, true },
	{ create_notify, 3, true },
	{ rearm, 5, true },
	{ destroy_notify, 1, true },
	{ NULL, 0, false },
};
