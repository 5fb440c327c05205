/* SPDX-License-Identifier: BSD-3-Clause */
/* What the driver's files share. */
#ifndef DRIVER_INTERNAL_H
#define DRIVER_INTERNAL_H

#include "driver/driver.h"
#include "driver/provider.h"

#include <iokit-user/service.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct dma_region;

/* A client's share of the interrupts; exists once it has set them up. */
struct client_irq {
	LIST_ENTRY(client_irq) link;	/* in driver->irq_clients */
	int fd;				/* the IRQ state page */
	struct dext_irq_state *state;	/* mapped; the client writes there too */
	struct iouser_completion *armed;	/* guarded by driver->irq_lock */
};

struct dma_buffer {
	int fd;		/* -1: there is none */
	void *address;
	uint64_t size;
	struct dma_segment segment;
};

/*
 * A user client. Its own fields are used by one thread at a time, that which
 * carries out its calls; other threads see only what a lock of the driver's guards.
 */
struct dext_client {
	LIST_ENTRY(dext_client) link;	/* in driver->clients */
	struct dext_driver *driver;
	struct iouser_peer *peer;
	bool claimed;			/* written under driver->lock */
	struct client_irq *irq;		/* NULL: not set up */
	struct dma_region *regions;	/* by iova */
	struct dma_buffer buffer;
	unsigned mappings[DEXT_MEMORY_TYPES];
};

struct dext_driver {
	struct pci_provider *provider;
	struct iouser_service *service;

	/* Read once at the beginning. */
	uint16_t vendor_id, device_id;
	uint32_t class_code;
	enum dext_interrupt_kind interrupt_kind;
	unsigned vectors;

	/*
	 * lock guards who has claimed the device and what follows from it: held
	 * over opening, closing and resetting it, never over a question to a
	 * client. It is taken before irq_lock.
	 */
	pthread_mutex_t lock;
	LIST_HEAD(, dext_client) clients;
	unsigned claims;
	bool exclusive;		/* the one claim there is excludes others */
	bool irq_routed;

	/* irq_lock guards the clients that take interrupts and their armed calls. */
	pthread_mutex_t irq_lock;
	LIST_HEAD(, client_irq) irq_clients;

	atomic_bool terminated;
	atomic_uint region_count;
	atomic_uint_fast64_t bytes_wired, resets;
};

/* A handler: @in and @out have as many scalars as the table says. */
typedef kern_return_t (*dext_handler)(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments);

#define DEXT_DECLARE_HANDLER(number, name, in, out, needs)                                      \
	kern_return_t dext_handle_##name(struct dext_client *client, const uint64_t *in_,       \
		uint64_t *out_, struct iouser_arguments *arguments);
DEXT_SELECTORS(DEXT_DECLARE_HANDLER)
DEXT_ADDITIONS(DEXT_DECLARE_HANDLER)
#undef DEXT_DECLARE_HANDLER

/* dispatch.c */
kern_return_t dext_dispatch(struct dext_client *client, struct iouser_arguments *arguments);

/* capability.c: the offset of a capability in config space, 0 for none. */
unsigned dext_find_capability(struct pci_provider *provider, uint8_t id);

/* claim.c: give up the client's claim; the last one leaves the device reset and quiet. */
void dext_unclaim(struct dext_client *client);

/* reset.c: reset by whatever the device has, config space restored. driver->lock is held. */
kern_return_t dext_reset(struct dext_driver *driver);

/* irq.c */
void dext_find_interrupts(struct dext_driver *driver);
void dext_drop_interrupts(struct dext_client *client);
kern_return_t dext_irq_memory(struct dext_client *client, struct iouser_memory *memory);

/* bar.c */
kern_return_t dext_bar_memory(struct dext_client *client, unsigned bar, struct iouser_memory *memory);

/* dma.c, buffer.c */
void dext_drop_regions(struct dext_client *client);
void dext_drop_buffer(struct dext_client *client);
kern_return_t dext_buffer_memory(struct dext_client *client, struct iouser_memory *memory);

#endif
