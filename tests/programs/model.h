/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model of the driver's documented behaviour, as simple as possible: arrays and loops, one
 * thread, no sockets, no code of driver/. test-property.c runs the same operations on this model
 * and on a driver, and compares.
 *
 * Each function is one operation of one client and returns the result that the driver must return.
 * If several errors apply to a call, the first of this order counts: too few scalars, an unmet
 * precondition, invalid values or earlier calls of the client, the state of the device and of
 * memory. Among several of one kind, a driver may return any.
 *
 * The device is an NVMe controller that is never enabled: its registers store what is written, and
 * a client triggers its messages.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <IOKit/IOReturn.h>
#include <dext-abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_CLIENTS	   6
#define MODEL_DEVICES	   2
#define MODEL_MAPPINGS_MAX 1024
#define MODEL_BAR_WORDS	   16 /* registers of the controller, followed by zeroes */
#define MODEL_DART_PAGE	   16384u

struct model_client;

/* A mapping of the IOMMU for a client: a region, or its buffer. */
struct model_mapping {
	struct model_client *owner;
	bool buffer;
	uint64_t iova; /* of a region */
	uintptr_t va;  /* of a region */
	uint64_t size, bus;
};

struct model_device {
	bool dart;
	uint64_t bytes_max, maps_max; /* of a DART */
	uint64_t bar_size;
	unsigned vectors;

	bool exclusive;
	bool shared; /* several clients have claimed it at the same time */
	uint64_t resets;
	uint8_t config[DEXT_CONFIG_SIZE], writable[DEXT_CONFIG_SIZE];
	uint8_t untouched[DEXT_CONFIG_SIZE]; /* values before the first claim, and after the last */
	uint32_t power_on[MODEL_BAR_WORDS], registers[MODEL_BAR_WORDS];
	struct model_mapping mappings[MODEL_MAPPINGS_MAX];
	size_t mapping_count;
};

struct model_client {
	struct model_device *device; /* NULL: not connected */
	bool claimed, interrupts;
	unsigned bars_mapped;
	bool armed;	   /* its notification will be called for the next interrupt */
	unsigned notified; /* number of calls of its notification */
	uint64_t pending[DEXT_IRQ_WORDS], enabled[DEXT_IRQ_WORDS];
};

struct model {
	struct model_device devices[MODEL_DEVICES];
	struct model_client clients[MODEL_CLIENTS];
};

/* --- model.c: claims, config space, registers ------------------------------------ */

/* Start with the values of config space and CAP before the first claim. */
void model_device_init(struct model_device *device, const uint8_t config[DEXT_CONFIG_SIZE],
	uint64_t capabilities, uint64_t bar_size, unsigned vectors);
void model_open(struct model_client *client, struct model_device *device);
void model_close(struct model *model, struct model_client *client);
kern_return_t model_claim(struct model *model, struct model_client *client, bool exclusive);
kern_return_t model_reset(struct model_client *client);
unsigned model_claims(const struct model *model, const struct model_device *device);
unsigned model_clients(const struct model *model, const struct model_device *device);

kern_return_t model_config_read(
	const struct model_client *client, uint64_t offset, uint64_t width, uint64_t *value);
kern_return_t model_config_write(
	struct model_client *client, uint64_t offset, uint64_t width, uint64_t value);
uint16_t model_command(const struct model_device *device);

/* Index, size and type as returned by GetBARInfo. */
kern_return_t model_bar_info(
	const struct model_client *client, uint64_t bar, uint64_t out[DEXT_OUT_GetBARInfo]);
kern_return_t model_map_bar(const struct model_client *client, uint64_t bar);
kern_return_t model_mmio_read(const struct model_client *client, uint64_t index, uint64_t offset,
	uint64_t width, uint64_t *value);
kern_return_t model_mmio_write(struct model_client *client, uint64_t index, uint64_t offset,
	uint64_t width, uint64_t value);
/* A store of one aligned word to a mapped BAR. */
void model_store(struct model_device *device, uint64_t offset, uint32_t value);

/* --- model-dma.c ------------------------------------------------------------------ */

struct model_region {
	uint64_t iova, va, size;
	bool there;	   /* the test's own record: all of the memory exists */
	kern_return_t got; /* the driver's result, for cases where the driver has a choice */
};

/*
 * *mapping is set to the new one. On a DART, where the driver chooses the bus address, the caller
 * sets it by model_choose_bus().
 */
kern_return_t model_register(struct model_client *client, const struct model_region *region,
	struct model_mapping **mapping);
kern_return_t model_unregister(struct model_client *client, uint64_t iova);
/* *va is set to the address of the word. */
kern_return_t model_probe(
	struct model_client *client, uint64_t iova, uint64_t offset, uintptr_t *va);
kern_return_t model_allocate_buffer(struct model_client *client, uint64_t size, uint64_t alignment,
	bool refused, struct model_mapping **mapping);
kern_return_t model_free_buffer(struct model_client *client);
/* The client's buffer, or NULL. */
struct model_mapping *model_buffer(struct model_client *client);
/* Record the address that the driver chose; false when it overlaps another mapping. */
bool model_choose_bus(struct model_device *device, struct model_mapping *mapping, uint64_t bus);
void model_drop_mappings(struct model_client *client);
unsigned model_regions(const struct model_device *device);
uint64_t model_bytes(const struct model_device *device);

/* --- model-irq.c ------------------------------------------------------------------ */

kern_return_t model_setup_interrupts(struct model_client *client, uint64_t *vectors);
kern_return_t model_check_interrupt(struct model_client *client, uint64_t pending[DEXT_IRQ_WORDS]);
kern_return_t model_set_mask(struct model_client *client, const uint64_t mask[DEXT_IRQ_WORDS]);
/* Arm the client's notification. */
kern_return_t model_arm(struct model_client *client);
kern_return_t model_trigger(struct model *model, struct model_client *client, uint64_t vector);

#endif
