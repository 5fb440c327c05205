/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space, BARs, identity, status, resets, and invalid calls. */
#include "tests/programs/property.h"

#include <string.h>
#include <time.h>

static uint64_t pick_width(struct property *property)
{
	static const uint8_t widths[] = { 1, 2, 4, 4, 4, 8, 8, 0, 3, 16 };

	return property_one_in(property, 4) ? widths[property_below(property, sizeof(widths))] :
					      UINT64_C(1) << property_below(property, 3);
}

/* Mostly aligned and near a register; rarely past the end, by a little or by much. */
static uint64_t pick_offset(struct property *property, uint64_t near, uint64_t size)
{
	switch (property_below(property, 12)) {
	case 0:
		return size - 9 + property_below(property, 18);
	case 1:
		return property_random(property);
	case 2:
		return property_below(property, size);
	case 3:
		return property_below(property, near);
	default:
		return property_below(property, near) & ~UINT64_C(7);
	}
}

static uint64_t align_mostly(struct property *property, uint64_t offset, uint64_t width)
{
	if (!width || property_one_in(property, 8))
		return offset;
	return (offset | property_below(property, 8)) / width * width;
}

static uint64_t pick_value(struct property *property, uint64_t width)
{
	uint64_t value = property_random(property);

	if (width >= 8 || property_one_in(property, 16))
		return value;
	return value & ((UINT64_C(1) << (8 * width)) - 1);
}

static void config_read(struct property *property, struct property_client *client)
{
	uint64_t width = pick_width(property), got = 0, expected = 0;
	uint64_t offset = pick_offset(property, 0x100, DEXT_CONFIG_SIZE);

	offset = align_mostly(property, offset, width);
	property_say(property, client, "config read %#llx width %llu", (unsigned long long)offset,
		(unsigned long long)width);
	if (property_status(property,
		    apple_dext_config_read(client->connection, offset, width, &got),
		    model_config_read(client->model, offset, width, &expected)))
		property_value(property, "value", got, expected);
}

/* Registers whose writes have no side effect, and read-only ones. */
static const struct {
	uint16_t offset;
	uint8_t width;
} config_targets[] = { { 0x04, 2 }, { 0x04, 2 }, { 0x04, 4 }, { 0x0c, 1 }, { 0x0c, 4 }, { 0x3c, 1 },
	{ 0x3c, 4 }, { 0x00, 4 }, { 0x02, 2 }, { 0x08, 4 }, { 0x10, 4 }, { 0x14, 4 }, { 0x24, 4 },
	{ 0x2c, 4 }, { 0x34, 1 }, { 0xf00, 4 }, { 0xffc, 4 } };

static void config_write(struct property *property, struct property_client *client)
{
	size_t target = property_below(property, sizeof(config_targets) / sizeof(*config_targets));
	uint64_t offset = config_targets[target].offset, width = config_targets[target].width;
	uint64_t value = pick_value(property, width);

	if (property_one_in(property, 16))
		width = 3;
	else if (property_one_in(property, 16))
		offset = DEXT_CONFIG_SIZE - property_below(property, width);
	else if (width > 1 && property_one_in(property, 16))
		offset++;
	/* Keep memory space enabled, or the registers become inaccessible; do not write STATUS. */
	if (offset == 0x04)
		value = (value & ~UINT64_C(0xffff0000)) | 2;
	property_say(property, client, "config write %#llx width %llu value %#llx",
		(unsigned long long)offset, (unsigned long long)width, (unsigned long long)value);
	property_status(property, apple_dext_config_write(client->connection, offset, width, value),
		model_config_write(client->model, offset, width, value));
}

void property_sweep_config(struct property *property, struct property_client *client)
{
	unsigned char block[DEXT_CONFIG_SIZE];
	uint64_t expected;

	property_say(property, client, "read all of config space");
	property_status(property,
		apple_dext_config_read_block(client->connection, 0, block, sizeof(block)),
		kIOReturnSuccess);
	for (unsigned offset = 0; offset < DEXT_CONFIG_SIZE; offset++) {
		model_config_read(client->model, offset, 1, &expected);
		if (block[offset] != expected) {
			property_say(property, client, "config byte %#x", offset);
			property_value(property, "byte", block[offset], expected);
		}
	}
}

static void bar_info(struct property *property, struct property_client *client)
{
	uint8_t bar = (uint8_t)property_below(property, property_one_in(property, 8) ? 256 : 7);
	uint64_t expected[DEXT_OUT_GetBARInfo], size = 0;
	uint8_t index = 0, type = 0;

	property_say(property, client, "BAR %u", bar);
	if (!property_status(property,
		    apple_dext_get_bar_info(client->connection, bar, &index, &size, &type),
		    model_bar_info(client->model, bar, expected)))
		return;
	property_value(property, "index", index, expected[DEXT_BAR_MEMORY_INDEX]);
	property_value(property, "size", size, expected[DEXT_BAR_SIZE]);
	property_value(property, "type", type, expected[DEXT_BAR_TYPE]);
}

/*
 * Registers without side effects: all but the interrupt mask and NSSR, and CC, which would enable
 * the controller.
 */
static bool is_quiet(uint64_t offset, uint64_t width)
{
	return offset + width <= 0x0c || (offset >= 0x24 && offset < 0x1000) || offset > 0x8000;
}

static void mmio_read(struct property *property, struct property_client *client)
{
	uint64_t size = client->model->device->bar_size, width = pick_width(property);
	uint64_t offset = align_mostly(property, pick_offset(property, 0x40, size), width);
	uint8_t index = property_one_in(property, 16) ? (uint8_t)property_random(property) : 0;
	uint64_t got = 0, expected = 0;

	if (offset < size && offset >= 0x1000)
		offset = property_one_in(property, 2) ? offset % 0x1000 : size - 4 + offset % 8;
	property_say(property, client, "MMIO read [%u] %#llx width %llu", index,
		(unsigned long long)offset, (unsigned long long)width);
	if (property_status(property,
		    apple_dext_mmio_read(client->connection, index, offset, width, &got),
		    model_mmio_read(client->model, index, offset, width, &expected)))
		property_value(property, "value", got, expected);
}

static void mmio_write(struct property *property, struct property_client *client)
{
	static const uint16_t targets[] = { 0x24, 0x28, 0x2c, 0x30, 0x34, 0x00, 0x3c, 0xffc };
	uint64_t size = client->model->device->bar_size;
	uint64_t width = property_one_in(property, 3) ? pick_width(property) : 4;
	uint64_t offset = targets[property_below(property, sizeof(targets) / sizeof(*targets))];
	uint8_t index = property_one_in(property, 16) ? (uint8_t)property_random(property) : 0;
	uint64_t value;

	if (property_one_in(property, 8))
		offset = pick_offset(property, 0x40, size);
	if (!is_quiet(offset, width))
		offset = size + offset % 8; /* past the end */
	/* A narrow write of a register is undefined. */
	if (width < 4 && offset >= 0x24 && offset < 0x38)
		width = 4;
	value = pick_value(property, width);
	property_say(property, client, "MMIO write [%u] %#llx width %llu value %#llx", index,
		(unsigned long long)offset, (unsigned long long)width, (unsigned long long)value);
	property_status(property,
		apple_dext_mmio_write(client->connection, index, offset, width, value),
		model_mmio_write(client->model, index, offset, width, value));
}

static void map_bar(struct property *property, struct property_client *client)
{
	uint8_t bar = property_one_in(property, 4) ? (uint8_t)property_below(property, 8) : 0;
	struct property_map *map = property_free_map(client);
	kern_return_t expected = model_map_bar(client->model, bar);
	uint8_t type;

	if (!map)
		return;
	property_say(property, client, "map BAR %u", bar);
	if (!property_status(property,
		    apple_dext_map_bar(client->connection, bar, &map->address, &map->size, &type),
		    expected)) {
		map->address = 0;
		return;
	}
	map->type = DEXT_MEMORY_BAR0 + bar;
	map->buffer = 0;
	client->model->bars_mapped++;
	property_value(property, "size", map->size, client->model->device->bar_size);
	property_value(property, "type", type, DEXT_BAR_MEM64);
}

static void unmap_bar(struct property *property, struct property_client *client)
{
	struct property_map *map = property_pick_map(property, client, DEXT_MEMORY_BAR0);
	mach_vm_address_t address = map ? map->address : 0;

	property_say(property, client, "unmap BAR 0 at %#llx", (unsigned long long)address);
	property_status(property, apple_dext_unmap_bar(client->connection, 0, address),
		map ? kIOReturnSuccess : kIOReturnBadArgument);
	if (!map)
		return;
	map->address = 0;
	client->model->bars_mapped--;
}

static uint32_t *word_at(const struct property_map *map, uint64_t offset)
{
	return (uint32_t *)(uintptr_t)(map->address + offset);
}

static void load(struct property *property, struct property_client *client)
{
	struct property_map *map = property_pick_map(property, client, DEXT_MEMORY_BAR0);
	static const uint16_t words[] = { 0x00, 0x04, 0x08, 0x1c, 0x24, 0x28, 0x2c, 0x30, 0x34 };
	uint64_t offset = words[property_below(property, sizeof(words) / sizeof(*words))];

	if (!map)
		return;
	property_say(property, client, "load %#llx", (unsigned long long)offset);
	property_value(property, "word", __atomic_load_n(word_at(map, offset), __ATOMIC_ACQUIRE),
		client->model->device->registers[offset / 4]);
}

#define STORE_SECONDS 30

/* The device notices a store asynchronously; the call and the mapping agree in the end. */
static void store(struct property *property, struct property_client *client)
{
	struct property_map *map = property_pick_map(property, client, DEXT_MEMORY_BAR0);
	uint64_t offset = 0x24 + 4 * property_below(property, 5), got = UINT64_MAX;
	uint32_t value = (uint32_t)property_random(property), expected, shown = 0;

	if (!map)
		return;
	property_say(property, client, "store %#llx value %#x", (unsigned long long)offset, value);
	__atomic_store_n(word_at(map, offset), value, __ATOMIC_RELEASE);
	model_store(client->model->device, offset, value);
	expected = client->model->device->registers[offset / 4];
	for (unsigned i = 0; i < STORE_SECONDS * 20000; i++) {
		property_status(property,
			apple_dext_mmio_read(client->connection, 0, offset, 4, &got),
			kIOReturnSuccess);
		shown = __atomic_load_n(word_at(map, offset), __ATOMIC_ACQUIRE);
		if (got == expected && shown == expected)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	}
	property_value(property, "register", got, expected);
	property_value(property, "memory", shown, expected);
}

static void reset(struct property *property, struct property_client *client)
{
	property_say(property, client, "reset");
	property_status(
		property, apple_dext_reset_device(client->connection), model_reset(client->model));
}

static void identity(struct property *property, struct property_client *client)
{
	const struct model_device *device = client->model->device;
	AppleDextIdentity got = { 0 };

	property_say(property, client, "identity");
	property_status(
		property, apple_dext_get_identity(client->connection, &got), kIOReturnSuccess);
	property_value(property, "bus", got.bus, device == property->model.devices ? 1 : 2);
	property_value(property, "device id", got.device_id,
		device->config[2] | (unsigned)device->config[3] << 8);
	property_value(property, "class", got.class_code, 0x010802);
}

static void status(struct property *property, struct property_client *client)
{
	const struct model_device *device = client->model->device;
	AppleDextStatus got = { 0 };

	property_say(property, client, "status");
	property_status(
		property, apple_dext_get_status(client->connection, &got), kIOReturnSuccess);
	property_value(property, "claims", got.claims, model_claims(&property->model, device));
	property_value(
		property, "clients", got.clients, model_clients(&property->model, device) + 1);
	property_value(property, "claimed", got.claimed_by_caller, client->model->claimed);
	property_value(property, "exclusive", got.claimed_exclusive, device->exclusive);
	property_value(property, "vectors", got.interrupt_vectors, device->vectors);
	property_value(property, "kind", got.interrupt_kind, DEXT_INTERRUPT_MSIX);
	property_value(property, "regions", got.dma_regions, model_regions(device));
	property_value(property, "bytes", got.dma_bytes, model_bytes(device));
	property_value(property, "faults", got.dma_faults, 0);
	property_value(property, "resets", got.resets, device->resets);
}

static const struct {
	uint32_t number, in, out;
} rows[] = {
#define ROW(number, name, in, out, needs) { number, in, out },
	DEXT_SELECTORS(ROW)
#undef ROW
};

/* An unknown selector, or too few scalars. */
static void nonsense(struct property *property, struct property_client *client)
{
	uint64_t in[16] = { 0 }, out[16];
	size_t row = property_below(property, sizeof(rows) / sizeof(*rows));
	uint32_t selector = rows[row].number, in_count = rows[row].in, out_count = rows[row].out;
	kern_return_t expected = kIOReturnBadArgument;

	if (in_count && property_one_in(property, 2)) {
		in_count = (uint32_t)property_below(property, in_count);
	} else if (out_count) {
		out_count = (uint32_t)property_below(property, out_count);
	} else {
		selector = 18 + (uint32_t)property_below(property, 0xfee);
		expected = kIOReturnUnsupported;
	}
	property_say(property, client, "selector %#x with %u scalars for %u", selector, in_count,
		out_count);
	property_status(property,
		IOConnectCallScalarMethod(client->connection, selector, in, in_count, out,
			out_count ? &out_count : NULL),
		expected);
}

const struct property_row property_calls[] = {
	{ config_read, 10, false },
	{ config_write, 8, true },
	{ property_sweep_config, 1, false },
	{ bar_info, 2, false },
	{ mmio_read, 10, true },
	{ mmio_write, 10, true },
	{ map_bar, 3, true },
	{ unmap_bar, 2, true },
	{ load, 6, true },
	{ store, 2, true },
	{ reset, 2, true },
	{ identity, 1, false },
	{ status, 8, false },
	{ nonsense, 3, false },
	{ NULL, 0, false },
};
