/* SPDX-License-Identifier: BSD-3-Clause */
/* What the driver's files share. */
#ifndef DRIVER_INTERNAL_H
#define DRIVER_INTERNAL_H

#include "driver/driver.h"
#include "driver/provider.h"

#include <bsd/sys/tree.h>
#include <iokit-user/service.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct dma_region;
RB_HEAD(region_tree, dma_region);

/* A client's share of the interrupts; exists once it has set them up. */
struct client_irq {
	LIST_ENTRY(client_irq) link; /* in driver->irq_clients */
	struct dext_client *client;
	int fd;				 /* the IRQ state page */
	struct dext_irq_state *state;	 /* mapped; the client writes there too */
	struct iouser_completion *armed; /* guarded by driver->irq_lock */
};

/* Memory of the driver's, for the client to map. Goes with the last access to it. */
struct dma_buffer {
	struct dma_owner owner; /* first: the buffer is the owner */
	int fd;
	void *address;
	uint64_t size;
	struct dma_segment segment;
};

/*
 * A user client. Its own fields are used by one thread at a time, that which
 * carries out its calls; other threads see only what a lock of the driver's guards.
 */
struct dext_client {
	TAILQ_ENTRY(dext_client) link; /* in driver->clients */
	uint32_t number;
	struct dext_driver *driver;
	struct iouser_peer *peer;
	bool claimed;				  /* written under driver->lock */
	struct client_irq *irq;			  /* NULL: not set up */
	struct region_tree regions;		  /* by iova; changed under driver->regions_lock */
	struct dma_buffer *buffer;		  /* NULL: there is none */
	struct dext_probe *probe;		  /* the last one, if it did not end in time */
	unsigned mappings[DEXT_MEMORY_TYPES + 1]; /* the last: of the trace */
	uint64_t bytes_kept; /* bookkeeping of its regions, beside bytes_wired */
	atomic_uint region_count;
	atomic_uint_fast64_t bytes_wired, calls, interrupts;
};

#define SAVED_CONFIG_MAX 24

/* Registers worth restoring after a reset, in order; COMMAND comes last of all, by itself. */
struct saved_config {
	unsigned count;
	struct {
		uint16_t offset;
		uint8_t width;
		uint32_t value;
	} registers[SAVED_CONFIG_MAX];
	uint32_t command;
};

enum driver_state {
	DRIVER_RUNNING,
	DRIVER_TERMINATED, /* it let go of the device: every call is kIOReturnOffline */
	DRIVER_REMOVED, /* the device is gone: so is every call, and config space reads as ones */
};

/* The trace of calls; memory is made when somebody first maps it. */
struct driver_trace {
	pthread_mutex_t lock; /* guards making it and the number of users */
	int fd;
	struct dext_trace *ring;
	atomic_uint users; /* mappings: nothing is traced without */
};

struct dext_driver {
	struct pci_provider *provider;
	struct iouser_service *service;

	struct dext_quotas quotas;

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
	TAILQ_HEAD(, dext_client) clients;
	uint32_t last_number;
	unsigned claims;
	bool exclusive; /* the one claim there is excludes others */
	bool shared;	/* there were several at a time: others may have kept BARs */
	bool irq_routed;
	struct saved_config pristine; /* what the first claim found */
	struct saved_config saved;    /* what the last reset found */
	atomic_bool unrestored;	      /* the device has not got it back; set under lock */

	/* irq_lock guards the clients that take interrupts and their armed calls. */
	pthread_mutex_t irq_lock;
	LIST_HEAD(, client_irq) irq_clients;

	/*
	 * regions_lock guards the shape of all clients' region trees, for those who
	 * list them; a client's own thread reads its tree without. It is a leaf.
	 */
	pthread_mutex_t regions_lock;

	_Atomic enum driver_state state;
	atomic_uint_fast64_t resets;
	struct driver_trace trace;
};

/* A handler: @in and @out have as many scalars as the table says. */
typedef kern_return_t (*dext_handler)(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments);

#define DEXT_DECLARE_HANDLER(number, name, in, out, needs)                                         \
	kern_return_t dext_handle_##name(struct dext_client *client, const uint64_t *in_,          \
		uint64_t *out_, struct iouser_arguments *arguments);
DEXT_SELECTORS(DEXT_DECLARE_HANDLER)
DEXT_EXTENSION_SELECTORS(DEXT_DECLARE_HANDLER)
#undef DEXT_DECLARE_HANDLER

/* dispatch.c */
kern_return_t dext_dispatch(struct dext_client *client, struct iouser_arguments *arguments);
/* Whether the client has what mapping memory of that type needs; kIOReturnUnsupported for no type. */
kern_return_t dext_check_memory(const struct dext_client *client, uint32_t type);

/* trace.c */
void dext_trace_init(struct driver_trace *trace);
void dext_trace_destroy(struct driver_trace *trace);
kern_return_t dext_trace_memory(struct driver_trace *trace, struct iouser_memory *memory);
uint64_t dext_trace_begin(const struct driver_trace *trace);
void dext_trace_end(struct dext_client *client, const struct iouser_arguments *arguments,
	kern_return_t status, uint64_t began);

/* claim.c: the device is at its end; its service leaves the registry. */
void dext_withdraw(struct dext_driver *driver, enum driver_state state);

/* irq.c: complete every armed call with @status. */
void dext_complete_all(struct dext_driver *driver, kern_return_t status);

/* config.c: the offset of a capability in config space, 0 for none. */
unsigned dext_find_capability(struct pci_provider *provider, uint8_t id);

/* driver.c: end the mappings of a client that has gone. */
void dext_drop_mappings(struct dext_client *client);

/*
 * claim.c: give up the client's claim, mappings and DMA memory, now that it has gone; the
 * last one leaves the device reset and quiet.
 */
void dext_unclaim(struct dext_client *client);

/* reset.c: reset by whatever the device has, config space restored. driver->lock is held. */
kern_return_t dext_reset(struct dext_driver *driver);
/* reset.c: remember what is worth restoring. */
void dext_save_config(struct pci_provider *provider, struct saved_config *saved);
/* reset.c: restore config space if a reset that timed out has left that to be done. */
void dext_restore_late(struct dext_driver *driver);
/* reset.c: whether the device answers: what does not reads as ones. */
bool dext_answers(struct dext_driver *driver);

/* irq.c */
void dext_find_interrupts(struct dext_driver *driver);
void dext_drop_interrupts(struct dext_client *client);
kern_return_t dext_irq_memory(struct dext_client *client, struct iouser_memory *memory);

/* bar.c */
kern_return_t dext_bar_memory(
	struct dext_client *client, unsigned bar, struct iouser_memory *memory);

/*
 * A DMA region: of one chunk each but for the largest. With what the runtime and a
 * software device keep, a region of one chunk takes less than 256 bytes.
 */
struct dma_region {
	struct dma_owner owner; /* first: the region is the owner, and outlasts accesses */
	RB_ENTRY(dma_region) node;
	uint64_t iova, size;
	struct iouser_task_memory *memory;
	unsigned chunks; /* how many are mapped */
	struct dma_segment segments[];
};
struct dma_region *dext_region_next(struct dma_region *region);

/* probe.c: the client goes. */
void dext_drop_probe(struct dext_client *client);

/* dma.c, buffer.c */
/* The spans of [offset, offset + length) of a client's memory: how many; at most memory->count. */
size_t dext_cut_spans(const struct iouser_task_memory *memory, uint64_t offset, uint64_t length,
	struct dma_span *spans);
bool dext_may_wire(const struct dext_client *client, uint64_t bytes);
kern_return_t dext_register_region(struct dext_client *client, uint64_t iova, uint64_t va,
	uint64_t size, struct dma_region **region);
kern_return_t dext_unregister_region(struct dext_client *client, uint64_t iova);
struct dma_region *dext_find_region(struct dext_client *client, uint64_t iova);
/*
 * Take the device's access to all regions away: no call of the client's is being carried out.
 * Dropping them then is quick, but for giving memory back, which the memory can hold up.
 */
void dext_unmap_regions(struct dext_client *client);
void dext_drop_regions(struct dext_client *client);
void dext_drop_buffer(struct dext_client *client);
kern_return_t dext_buffer_memory(struct dext_client *client, struct iouser_memory *memory);

#endif
