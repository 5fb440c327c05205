/* SPDX-License-Identifier: BSD-3-Clause */
/* DMA regions and the buffer. */
#include "tests/programs/property.h"

#include <string.h>

/* A mapping of the device, of any client, or NULL. */
static const struct model_mapping *pick_mapping(
	struct property *property, const struct property_client *client)
{
	const struct model_device *device = client->model->device;

	return device->mapping_count ?
		       &device->mappings[property_below(property, device->mapping_count)] :
		       NULL;
}

/* A region of this client, or NULL. */
static const struct model_mapping *pick_own(
	struct property *property, const struct property_client *client)
{
	const struct model_device *device = client->model->device;
	size_t from = device->mapping_count ? property_below(property, device->mapping_count) : 0;

	for (size_t i = 0; i < device->mapping_count; i++) {
		const struct model_mapping *mapping =
			&device->mappings[(from + i) % device->mapping_count];

		if (mapping->owner == client->model && !mapping->buffer)
			return mapping;
	}
	return NULL;
}

static uint64_t pick_size(struct property *property)
{
	switch (property_below(property, 10)) {
	case 0:
		return 1 + property_below(property, 16);
	case 1:
		return 1 + property_below(property, ARENA_END / 2);
	case 2:
	case 3:
		return 4096 * (1 + property_below(property, 64));
	case 4:
		return 16384 * (1 + property_below(property, 8));
	default:
		return 4096;
	}
}

/* A small number of places, so that regions overlap, and the ends of the address space. */
static uint64_t pick_iova(struct property *property, struct property_client *client, uint64_t size)
{
	const struct model_mapping *mapping = pick_mapping(property, client);
	uint64_t slot = UINT64_C(0x100000000) + 0x4000 * property_below(property, 256);

	switch (property_below(property, 24)) {
	case 0:
	case 1:
		return mapping ? mapping->iova : slot;
	case 2:
		return mapping ? mapping->bus + property_below(property, mapping->size) : slot;
	case 3:
		return mapping ? mapping->bus + mapping->size : slot;
	case 4:
		return mapping ? mapping->bus - size + property_below(property, 2) : slot;
	case 5:
		return 0 - size + property_below(property, 3);
	case 6:
		return UINT64_MAX - property_below(property, 2);
	case 7:
		return property_below(property, 2) ? property_random(property) : 0;
	case 8:
		return slot + property_below(property, 0x4000);
	default:
		return slot;
	}
}

/* Whether the whole range is memory of the arena. */
static bool is_there(const struct property *property, uint64_t va, uint64_t size)
{
	uint64_t offset = va - (uintptr_t)property->arena;

	return va >= (uintptr_t)property->arena && offset < ARENA_END && size <= ARENA_END - offset;
}

static void pick_region(
	struct property *property, struct property_client *client, struct model_region *region)
{
	static const unsigned edges[] = { ARENA_SHARED, ARENA_PRIVATE, ARENA_OTHER, ARENA_END };
	uint64_t page = 4096 * property_below(property, ARENA_END / 4096);

	region->size = pick_size(property);
	region->iova = pick_iova(property, client, region->size);
	if (property_one_in(property, 8)) /* across an edge, perhaps into unmapped memory */
		page = edges[property_below(property, 4)] + 4096 -
		       4096 * property_below(property, 8);
	if (page > ARENA_END)
		page = 0;
	if (property_one_in(property, 8))
		page += property_below(property, 4096);
	if (page + region->size > ARENA_END && !property_one_in(property, 3))
		page = (ARENA_END - region->size) & ~UINT64_C(4095);
	region->va = (uintptr_t)property->arena + page;
	/* Past the arena, but within the hole after it. */
	if (page + region->size > ARENA_END + ARENA_HOLE)
		region->size = ARENA_END + ARENA_HOLE - page;
	switch (property_below(property, 128)) {
	case 0:
		region->size = 0;
		break;
	case 1:
		region->va = 0;
		break;
	case 2:
		region->size = DEXT_CHUNKS_MAX * DEXT_CHUNK_MAX + 1 + property_below(property, 2);
		break;
	case 3:
		region->size = UINT64_MAX - property_below(property, 2);
		break;
	case 4:
		region->va = UINT64_MAX - property_below(property, 2);
		region->size = 4096;
		break;
	case 5:
		region->va =
			(uintptr_t)property->arena + ARENA_END - 4096 * property_below(property, 2);
		region->size = 8192;
		break;
	}
	region->there = is_there(property, region->va, region->size);
}

static void compare_address(struct property *property, struct property_client *client,
	struct model_mapping *mapping, uint64_t bus, uint64_t length)
{
	property_value(property, "bus length", length, mapping->size);
	if (client->model->device->dart || mapping->buffer)
		property_true(property, "free bus address",
			model_choose_bus(client->model->device, mapping, bus));
	else
		property_value(property, "bus address", bus, mapping->bus);
}

static void register_region(struct property *property, struct property_client *client)
{
	struct model_mapping *mapping = NULL;
	struct model_region region;
	uint64_t bus = 0, length = 0;

	if (client->model->device->mapping_count == MODEL_MAPPINGS_MAX)
		return;
	pick_region(property, client, &region);
	property_say(property, client, "register iova %#llx %s%#llx size %#llx",
		(unsigned long long)region.iova, region.there ? "arena+" : "va ",
		(unsigned long long)(region.there ? region.va - (uintptr_t)property->arena :
						    region.va),
		(unsigned long long)region.size);
	region.got = apple_dext_register_dma(
		client->connection, region.iova, region.va, region.size, &bus, &length);
	if (property_status(property, region.got, model_register(client->model, &region, &mapping)))
		compare_address(property, client, mapping, bus, length);
}

static void unregister_region(struct property *property, struct property_client *client)
{
	const struct model_mapping *own = pick_own(property, client);
	const struct model_mapping *any = pick_mapping(property, client);
	uint64_t iova = own ? own->iova : 0x1000;

	if (any && property_one_in(property, 8))
		iova = any->iova + property_below(property, 2);
	property_say(property, client, "unregister iova %#llx", (unsigned long long)iova);
	property_status(property, apple_dext_unregister_dma(client->connection, iova),
		model_unregister(client->model, iova));
}

static void compare_word(
	struct property *property, struct property_client *client, uint64_t iova, uint64_t offset)
{
	uint64_t got = 0, expected = 0;
	uintptr_t va = 0;

	property_say(property, client, "probe iova %#llx offset %#llx", (unsigned long long)iova,
		(unsigned long long)offset);
	if (!property_status(property, apple_dext_probe_dma(client->connection, iova, offset, &got),
		    model_probe(client->model, iova, offset, &va)))
		return;
	memcpy(&expected, (void *)va, sizeof(expected));
	property_value(property, "word", got, expected);
}

/* An offset in a region at the border of two kinds of memory; otherwise any. */
static uint64_t offset_at_edge(struct property *property, const struct model_mapping *mapping)
{
	static const unsigned edges[] = { ARENA_PRIVATE, ARENA_OTHER };
	uint64_t begin = mapping->va - (uintptr_t)property->arena;

	for (size_t i = 0; i < 2; i++)
		if (begin + 8 < edges[i] && edges[i] < begin + mapping->size)
			return edges[i] - begin - 1 - property_below(property, 7);
	return property_below(property, mapping->size);
}

static void probe(struct property *property, struct property_client *client)
{
	const struct model_mapping *own = pick_own(property, client);
	const struct model_mapping *any = pick_mapping(property, client);
	uint64_t iova = own ? own->iova : 0x1000, offset = 0;

	if (any && property_one_in(property, 16))
		iova = any->iova;
	if (own)
		offset = offset_at_edge(property, own);
	if (own && property_one_in(property, 8))
		offset = own->size - 9 + property_below(property, 4);
	if (property_one_in(property, 32))
		offset = UINT64_MAX - property_below(property, 9);
	compare_word(property, client, iova, offset);
}

void property_sweep_regions(struct property *property, struct property_client *client)
{
	const struct model_device *device = client->model->device;

	for (size_t i = 0; i < device->mapping_count; i++) {
		const struct model_mapping *mapping = &device->mappings[i];

		if (mapping->owner != client->model || mapping->buffer)
			continue;
		compare_word(property, client, mapping->iova, 0);
		compare_word(property, client, mapping->iova, mapping->size - 8);
	}
}

/* The client writes its memory: the driver must see the new values. */
static void scribble(struct property *property, struct property_client *client)
{
	const struct model_mapping *own = pick_own(property, client);
	uint64_t word = property_random(property), offset;

	if (!own || own->size < 8)
		return;
	offset = offset_at_edge(property, own);
	if (offset > own->size - 8)
		offset = own->size - 8;
	memcpy((void *)(own->va + offset), &word, sizeof(word));
	compare_word(property, client, own->iova, offset);
}

static void allocate_buffer(struct property *property, struct property_client *client)
{
	uint64_t in[DEXT_IN_AllocateDMABuffer], out[DEXT_OUT_AllocateDMABuffer] = { 0 };
	uint32_t count = DEXT_OUT_AllocateDMABuffer;
	struct model_mapping *mapping = NULL;
	kern_return_t got, expected;

	if (client->model->device->mapping_count == MODEL_MAPPINGS_MAX)
		return;
	in[0] = 1 + property_below(property, 1 << 18);
	in[1] = property_one_in(property, 3) ? UINT64_C(1) << property_below(property, 21) : 0;
	if (property_one_in(property, 16))
		in[0] = property_one_in(property, 2) ? 0 : DEXT_CHUNK_MAX + 1;
	if (property_one_in(property, 16))
		in[1] = 0x3000;
	property_say(property, client, "allocate buffer of %#llx aligned %#llx",
		(unsigned long long)in[0], (unsigned long long)in[1]);
	got = IOConnectCallScalarMethod(client->connection, DEXT_SELECTOR_AllocateDMABuffer, in,
		DEXT_IN_AllocateDMABuffer, out, &count);
	expected = model_allocate_buffer(
		client->model, in[0], in[1], got == kIOReturnNoSpace, &mapping);
	if (!property_status(property, got, expected))
		return;
	client->buffers++;
	property_value(property, "size", out[DEXT_BUFFER_SIZE], mapping->size);
	property_value(property, "segments", out[DEXT_BUFFER_SEGMENTS], 1);
	property_value(property, "class", out[DEXT_BUFFER_CLASS_CODE], 0x010802);
	property_value(property, "misalignment",
		out[DEXT_BUFFER_ADDRESS] & ((in[1] ? in[1] : 4096) - 1), 0);
	compare_address(
		property, client, mapping, out[DEXT_BUFFER_ADDRESS], out[DEXT_BUFFER_LENGTH]);
}

/*
 * To unmap memory, IOKit asks the driver for it: what is mapped of an earlier buffer stays.
 */
static void unmap_one(
	struct property *property, struct property_client *client, struct property_map *map)
{
	kern_return_t expected = kIOReturnSuccess;

	if (!model_buffer(client->model))
		expected = kIOReturnNotReady;
	else if (map->buffer != client->buffers)
		expected = kIOReturnBadArgument;
	property_say(property, client, "unmap buffer %u", map->buffer);
	if (property_status(property,
		    IOConnectUnmapMemory64(client->connection, DEXT_MEMORY_DMA_BUFFER,
			    mach_task_self(), map->address),
		    expected))
		map->address = 0;
}

/* Mostly it is unmapped before, since there is room for a few maps only. */
static void free_buffer(struct property *property, struct property_client *client)
{
	struct property_map *map;

	while (!property_one_in(property, 8) && model_buffer(client->model)) {
		map = property_pick_map(property, client, DEXT_MEMORY_DMA_BUFFER);
		if (!map || map->buffer != client->buffers)
			break;
		unmap_one(property, client, map);
	}
	property_say(property, client, "free buffer");
	property_status(property,
		IOConnectCallScalarMethod(
			client->connection, DEXT_SELECTOR_FreeDMABuffer, NULL, 0, NULL, NULL),
		model_free_buffer(client->model));
}

static void map_buffer(struct property *property, struct property_client *client)
{
	const struct model_mapping *buffer = model_buffer(client->model);
	struct property_map *map = property_free_map(client);

	if (!map)
		return;
	property_say(property, client, "map buffer");
	if (!property_status(property,
		    IOConnectMapMemory64(client->connection, DEXT_MEMORY_DMA_BUFFER,
			    mach_task_self(), &map->address, &map->size, kIOMapAnywhere),
		    buffer ? kIOReturnSuccess : kIOReturnBadArgument)) {
		map->address = 0;
		return;
	}
	map->type = DEXT_MEMORY_DMA_BUFFER;
	map->buffer = client->buffers;
	property_value(property, "size", map->size, buffer->size);
}

static void unmap_buffer(struct property *property, struct property_client *client)
{
	struct property_map *map = property_pick_map(property, client, DEXT_MEMORY_DMA_BUFFER);

	if (map)
		unmap_one(property, client, map);
}

/* All maps of one buffer are the same memory; a freed one exists while it is mapped. */
static void use_buffer(struct property *property, struct property_client *client)
{
	struct property_map *map = property_pick_map(property, client, DEXT_MEMORY_DMA_BUFFER);
	uint64_t word = property_random(property), offset, got;

	if (!map)
		return;
	offset = property_below(property, map->size / 8) * 8;
	property_say(property, client, "store %#llx in buffer %u at %#llx",
		(unsigned long long)word, map->buffer, (unsigned long long)offset);
	*(volatile uint64_t *)(uintptr_t)(map->address + offset) = word;
	for (size_t i = 0; i < PROPERTY_MAPS_MAX; i++) {
		if (!client->maps[i].address || client->maps[i].buffer != map->buffer)
			continue;
		got = *(volatile uint64_t *)(uintptr_t)(client->maps[i].address + offset);
		property_value(property, "word", got, word);
	}
}

const struct property_row property_dma[] = {
	{ register_region, 24, true },
	{ unregister_region, 12, true },
	{ probe, 10, true },
	{ scribble, 4, true },
	{ property_sweep_regions, 1, true },
	{ allocate_buffer, 4, true },
	{ free_buffer, 3, true },
	{ map_buffer, 3, true },
	{ unmap_buffer, 2, true },
	{ use_buffer, 3, true },
	{ NULL, 0, false },
};
