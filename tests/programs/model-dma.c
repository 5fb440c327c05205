/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/programs/model.h"

#define BUFFER_PAGE UINT64_C(16384)

static struct model_mapping *find(struct model_client *client, uint64_t iova)
{
	struct model_device *device = client->device;

	for (size_t i = 0; i < device->mapping_count; i++) {
		struct model_mapping *mapping = &device->mappings[i];

		if (mapping->owner == client && !mapping->buffer && mapping->iova == iova)
			return mapping;
	}
	return NULL;
}

static unsigned regions_of(const struct model_client *client)
{
	const struct model_device *device = client->device;
	unsigned count = 0;

	for (size_t i = 0; i < device->mapping_count; i++)
		count += device->mappings[i].owner == client && !device->mappings[i].buffer;
	return count;
}

static void drop(struct model_device *device, struct model_mapping *mapping)
{
	*mapping = device->mappings[--device->mapping_count];
}

static struct model_mapping *add(struct model_device *device, const struct model_mapping *mapping)
{
	device->mappings[device->mapping_count] = *mapping;
	return &device->mappings[device->mapping_count++];
}

/* Whether a mapping other than @but overlaps the range, both ends included. */
static bool taken(const struct model_device *device, const struct model_mapping *but,
	uint64_t first, uint64_t last)
{
	uint64_t mask = device->dart ? MODEL_DART_PAGE - 1 : 0; /* a DART maps whole pages */

	for (size_t i = 0; i < device->mapping_count; i++) {
		const struct model_mapping *other = &device->mappings[i];

		if (other != but && (other->bus & ~mask) <= (last | mask) &&
			((other->bus + (other->size - 1)) | mask) >= (first & ~mask))
			return true;
	}
	return false;
}

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + MODEL_DART_PAGE - 1) / MODEL_DART_PAGE * MODEL_DART_PAGE;
}

/*
 * A DART's limit counts whole pages. The number of pages depends on the offset of the memory in
 * its first page, which only the driver knows: where that decides, @refused tells what the driver
 * did.
 */
static bool is_full(const struct model_device *device, uint64_t size, bool refused)
{
	uint64_t used = 0, left;

	if (!device->dart)
		return false;
	for (size_t i = 0; i < device->mapping_count; i++) {
		const struct model_mapping *mapping = &device->mappings[i];

		used += whole_pages(mapping->bus % MODEL_DART_PAGE + mapping->size);
	}
	left = used < device->bytes_max ? device->bytes_max - used : 0;
	if (device->mapping_count >= device->maps_max || size > left || whole_pages(size) > left)
		return true;
	return refused && whole_pages(size + MODEL_DART_PAGE - 1) > left;
}

/* Errors of one call. */
struct faults {
	kern_return_t codes[8];
	size_t count;
};

static void note(struct faults *faults, bool wrong, kern_return_t code)
{
	if (wrong)
		faults->codes[faults->count++] = code;
}

/* The error that the driver returned, if it is one of them. */
static kern_return_t name_one(const struct faults *faults, kern_return_t got)
{
	for (size_t i = 0; i < faults->count; i++)
		if (faults->codes[i] == got)
			return got;
	return faults->count ? faults->codes[0] : kIOReturnSuccess;
}

static kern_return_t check_values(struct model_client *client, const struct model_region *region)
{
	bool wraps = region->size > 1 && region->iova > UINT64_MAX - (region->size - 1);
	struct faults faults = { .count = 0 };

	if (!client->claimed)
		return kIOReturnNotOpen;
	if (!region->size || !region->va)
		return kIOReturnBadArgument;
	note(&faults, find(client, region->iova), kIOReturnStillOpen);
	note(&faults, region->size > DEXT_CHUNKS_MAX * DEXT_CHUNK_MAX, kIOReturnNoSpace);
	note(&faults, regions_of(client) >= DEXT_REGIONS_MAX, kIOReturnNoSpace);
	note(&faults, region->va > UINT64_MAX - region->size, kIOReturnBadArgument);
	note(&faults, wraps && !client->device->dart, kIOReturnBadArgument);
	return name_one(&faults, region->got);
}

static kern_return_t check_state(struct model_client *client, const struct model_region *region)
{
	struct model_device *device = client->device;
	uint64_t last = region->iova + (region->size - 1);
	struct faults faults = { .count = 0 };

	note(&faults, !region->there, kIOReturnVMError);
	note(&faults, is_full(device, region->size, region->got == kIOReturnNoSpace),
		kIOReturnNoSpace);
	note(&faults, !device->dart && taken(device, NULL, region->iova, last), kIOReturnBusy);
	return name_one(&faults, region->got);
}

kern_return_t model_register(struct model_client *client, const struct model_region *region,
	struct model_mapping **mapping)
{
	kern_return_t status = check_values(client, region);

	if (status == kIOReturnSuccess)
		status = check_state(client, region);
	if (status == kIOReturnSuccess)
		*mapping = add(client->device, &(struct model_mapping){ .owner = client,
						       .iova = region->iova,
						       .va = region->va,
						       .size = region->size,
						       .bus = region->iova });
	return status;
}

bool model_choose_bus(struct model_device *device, struct model_mapping *mapping, uint64_t bus)
{
	mapping->bus = bus;
	return bus <= UINT64_MAX - (mapping->size - 1) &&
	       !taken(device, mapping, bus, bus + (mapping->size - 1));
}

kern_return_t model_unregister(struct model_client *client, uint64_t iova)
{
	struct model_mapping *mapping;

	if (!client->claimed)
		return kIOReturnNotOpen;
	mapping = find(client, iova);
	if (!mapping)
		return kIOReturnNotFound;
	drop(client->device, mapping);
	return kIOReturnSuccess;
}

kern_return_t model_probe(
	struct model_client *client, uint64_t iova, uint64_t offset, uintptr_t *va)
{
	struct model_mapping *mapping;

	if (!client->claimed)
		return kIOReturnNotOpen;
	mapping = find(client, iova);
	if (!mapping)
		return kIOReturnNotFound;
	if (mapping->size < 8 || offset > mapping->size - 8)
		return kIOReturnOverrun;
	*va = mapping->va + offset;
	return kIOReturnSuccess;
}

struct model_mapping *model_buffer(struct model_client *client)
{
	struct model_device *device = client->device;

	for (size_t i = 0; i < device->mapping_count; i++)
		if (device->mappings[i].owner == client && device->mappings[i].buffer)
			return &device->mappings[i];
	return NULL;
}

kern_return_t model_allocate_buffer(struct model_client *client, uint64_t size, uint64_t alignment,
	bool refused, struct model_mapping **mapping)
{
	struct model_device *device = client->device;

	if (!client->claimed)
		return kIOReturnNotOpen;
	if (!size || size > DEXT_CHUNK_MAX || (alignment & (alignment - 1)))
		return kIOReturnBadArgument;
	if (model_buffer(client))
		return kIOReturnStillOpen;
	size = (size + BUFFER_PAGE - 1) / BUFFER_PAGE * BUFFER_PAGE;
	if (is_full(device, size, refused))
		return kIOReturnNoSpace;
	*mapping = add(
		device, &(struct model_mapping){ .owner = client, .buffer = true, .size = size });
	return kIOReturnSuccess;
}

kern_return_t model_free_buffer(struct model_client *client)
{
	struct model_mapping *buffer = model_buffer(client);

	if (!buffer)
		return kIOReturnNotFound;
	drop(client->device, buffer);
	return kIOReturnSuccess;
}

void model_drop_mappings(struct model_client *client)
{
	struct model_device *device = client->device;

	for (size_t i = device->mapping_count; i-- > 0;)
		if (device->mappings[i].owner == client)
			drop(device, &device->mappings[i]);
}

unsigned model_regions(const struct model_device *device)
{
	unsigned count = 0;

	for (size_t i = 0; i < device->mapping_count; i++)
		count += !device->mappings[i].buffer;
	return count;
}

uint64_t model_bytes(const struct model_device *device)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < device->mapping_count; i++)
		bytes += device->mappings[i].size;
	return bytes;
}
