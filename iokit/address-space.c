/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/address-space.h"

#include <stdatomic.h>

struct pool {
	uint64_t guaranteed, client_max, size;
	atomic_uint_fast64_t taken;
};

static struct pool bytes_pool = { IOU_BYTES_GUARANTEED, IOU_BYTES_MAX, IOU_BYTES_POOL, 0 };
static struct pool maps_pool = { IOU_MAPS_GUARANTEED, IOU_MAPS_MAX, IOU_MAPS_POOL, 0 };

/* What a client that holds so much has from the pool. */
static uint64_t from_pool(const struct pool *pool, uint64_t held)
{
	return held > pool->guaranteed ? held - pool->guaranteed : 0;
}

static void give(struct pool *pool, uint64_t *held, uint64_t amount)
{
	uint64_t before = from_pool(pool, *held);

	*held -= amount;
	atomic_fetch_sub(&pool->taken, before - from_pool(pool, *held));
}

static bool take(struct pool *pool, uint64_t *held, uint64_t amount)
{
	uint64_t more, taken = atomic_load(&pool->taken);

	if (amount > pool->client_max - *held)
		return false;
	more = from_pool(pool, *held + amount) - from_pool(pool, *held);
	do
		if (more > pool->size - taken)
			return false;
	while (!atomic_compare_exchange_weak(&pool->taken, &taken, taken + more));
	*held += amount;
	return true;
}

bool iou_address_space_take(struct iou_address_space *space, uint64_t bytes)
{
	if (!take(&maps_pool, &space->maps, 1))
		return false;
	if (take(&bytes_pool, &space->bytes, bytes))
		return true;
	give(&maps_pool, &space->maps, 1);
	return false;
}

void iou_address_space_give(struct iou_address_space *space, uint64_t bytes)
{
	give(&bytes_pool, &space->bytes, bytes);
	give(&maps_pool, &space->maps, 1);
}
