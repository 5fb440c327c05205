/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the files of test-property: state, random numbers, and comparison. */
#ifndef TESTS_PROPERTY_H
#define TESTS_PROPERTY_H

#include "tests/programs/model.h"

#include <apple-dext-client.h>
#include <stdatomic.h>

#define PROPERTY_MAPS_MAX 4 /* of one client at a time */

/* Memory that a client has mapped from the driver. */
struct property_map {
	uint32_t type;
	mach_vm_address_t address; /* 0: none */
	mach_vm_size_t size;
	unsigned buffer; /* number of the client's buffer, from 1; 0: another type */
};

/* A client: its connection to the driver, and its model. */
struct property_client {
	struct model_client *model;
	io_connect_t connection;
	AppleDextInterruptNotify *notify;
	atomic_uint notified;
	struct property_map maps[PROPERTY_MAPS_MAX];
	unsigned buffers; /* number of buffers allocated so far */
};

/*
 * The clients' memory: shared, private, shared from another file, and an unmapped hole. Ranges may
 * span several of these.
 */
#define ARENA_SHARED  0u
#define ARENA_PRIVATE (1u << 20)
#define ARENA_OTHER   (3u << 19)
#define ARENA_END     (1u << 21)
#define ARENA_HOLE    (1u << 16) /* bytes of the unmapped hole */

struct property {
	struct model model;
	struct property_client clients[MODEL_CLIENTS];
	io_connect_t observers[MODEL_DEVICES]; /* connections without a claim, for queries */
	unsigned char *arena;
	uint64_t random;
	unsigned long operation, comparisons;
};

/* --- Random numbers --- */

uint64_t property_random(struct property *property);
/* 0 to @limit - 1 */
uint64_t property_below(struct property *property, uint64_t limit);
/* True once in @n times. */
bool property_one_in(struct property *property, unsigned n);

/* --- Log and comparison: each fails the test when something differs --- */

/* Log the next operation. */
void property_say(struct property *property, const struct property_client *client,
	const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Compare the result of a call. Return: whether it succeeded. */
bool property_status(struct property *property, kern_return_t got, kern_return_t expected);
void property_value(struct property *property, const char *what, uint64_t got, uint64_t expected);
void property_true(struct property *property, const char *what, bool holds);

/* --- Maps --- */

/* A free entry, or NULL. */
struct property_map *property_free_map(struct property_client *client);
/* A random one of @type, or NULL. */
struct property_map *property_pick_map(
	struct property *property, struct property_client *client, uint32_t type);

/* --- Operations: each chooses its arguments, calls the model and the driver, and compares --- */

typedef void (*property_operation)(struct property *property, struct property_client *client);

struct property_row {
	property_operation run;
	unsigned weight;
	bool only_claimed; /* needs a claim; rarely called without one */
};

/* By concern; each ends with a row without a function. */
extern const struct property_row property_calls[], property_dma[], property_irqs[];

/* Compare all registers and config space of a device. */
void property_sweep_config(struct property *property, struct property_client *client);
/* Compare the first and the last word of all regions of a client. */
void property_sweep_regions(struct property *property, struct property_client *client);

#endif
