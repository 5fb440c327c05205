/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What docs and header say that the driver does, as simply as it can be said: arrays
 * and loops, one thread, no sockets, nothing of driver/. test-property.c runs the same
 * operations on this and on a driver and compares.
 *
 * Each function is one operation of one client and returns what the driver must
 * return. Where several things are wrong with a call, the first of these counts: too
 * few scalars, an unmet precondition, what the values alone show or the client has done
 * before, the state of the device and of memory. Where several of one kind are wrong, a
 * driver may name any of them.
 *
 * The device is an NVMe controller that is never enabled: registers that hold what is
 * written to them, and messages that a client triggers.
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
#define MODEL_BAR_WORDS	   16 /* registers of the controller; zeroes follow */
#define MODEL_DART_PAGE	   16384u

struct model_client;

/* What the IOMMU maps for a client: a region, or its buffer. */
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
	bool shared; /* several clients had claimed it at a time */
	uint64_t resets;
	uint8_t config[DEXT_CONFIG_SIZE], writable[DEXT_CONFIG_SIZE];
	uint8_t untouched[DEXT_CONFIG_SIZE]; /* before the first claim, and after the last */
	uint32_t power_on[MODEL_BAR_WORDS], registers[MODEL_BAR_WORDS];
	struct model_mapping mappings[MODEL_MAPPINGS_MAX];
	size_t mapping_count;
};

struct model_client {
	struct model_device *device; /* NULL: not open */
	bool claimed, interrupts;
	unsigned bars_mapped;
	bool armed;	   /* its notification will be called for the next interrupt */
	unsigned notified; /* how often its notification has been called */
	uint64_t pending[DEXT_IRQ_WORDS], enabled[DEXT_IRQ_WORDS];
};

struct model {
	struct model_device devices[MODEL_DEVICES];
	struct model_client clients[MODEL_CLIENTS];
};

/* --- model.c: who has the device, and what it is -------------------------------- */

/* Begin with what config space and CAP hold before anybody has claimed the device. */
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

/* Index, size and type as the ABI's GetBARInfo gives them. */
kern_return_t model_bar_info(
	const struct model_client *client, uint64_t bar, uint64_t out[DEXT_OUT_GetBARInfo]);
kern_return_t model_map_bar(const struct model_client *client, uint64_t bar);
kern_return_t model_mmio_read(const struct model_client *client, uint64_t index, uint64_t offset,
	uint64_t width, uint64_t *value);
kern_return_t model_mmio_write(struct model_client *client, uint64_t index, uint64_t offset,
	uint64_t width, uint64_t value);
/* A store to a mapped BAR: of one aligned word. */
void model_store(struct model_device *device, uint64_t offset, uint32_t value);

/* --- model-dma.c ------------------------------------------------------------------ */

struct model_region {
	uint64_t iova, va, size;
	bool there;	   /* the caller knows: the client's memory is all there */
	kern_return_t got; /* what the driver answered, for where it has the choice */
};

/*
 * *mapping is set to the new one; on a DART, where the driver chooses, its bus address
 * is the caller's to fill in, by model_choose_bus().
 */
kern_return_t model_register(struct model_client *client, const struct model_region *region,
	struct model_mapping **mapping);
kern_return_t model_unregister(struct model_client *client, uint64_t iova);
/* *va is set to where the word is. */
kern_return_t model_probe(
	struct model_client *client, uint64_t iova, uint64_t offset, uintptr_t *va);
kern_return_t model_allocate_buffer(struct model_client *client, uint64_t size, uint64_t alignment,
	bool refused, struct model_mapping **mapping);
kern_return_t model_free_buffer(struct model_client *client);
/* The client's buffer, or NULL. */
struct model_mapping *model_buffer(struct model_client *client);
/* Take the driver's choice of an address; false when it gave away what is taken. */
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
