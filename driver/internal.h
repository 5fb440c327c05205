/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the files of the driver. */
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

/* The interrupts of a client that has set them up. */
struct client_irq {
	LIST_ENTRY(client_irq) link; /* in driver->irq_clients */
	struct dext_client *client;
	int fd;				 /* the IRQ state page */
	struct dext_irq_state *state;	 /* the page; the client also writes to it */
	struct iouser_completion *armed; /* guarded by driver->irq_lock, as stays_armed */
	bool stays_armed;		 /* by ArmInterrupts: it completes if state->armed is set */
	/*
	 * Eventfds that are signalled in place of the pending bits, by vector; -1: none. Changed
	 * with driver->lock and driver->irq_lock held.
	 */
	int eventfds[DEXT_VECTORS_MAX];
};

/* A DMA buffer. Freed when no access to it is in progress. */
struct dma_buffer {
	struct dma_owner owner; /* first: the buffer is the owner */
	int fd;
	void *address;
	uint64_t size;
	struct dma_segment segment;
};

/*
 * A user client. Its members are used by one thread at a time, which executes its calls; other
 * threads use only atomic members and those that a lock of the driver guards.
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
	struct dext_probe *probe;		  /* the last one, if it timed out */
	unsigned mappings[DEXT_MEMORY_TYPES + 1]; /* by type; the last: the trace */
	uint64_t bytes_overhead; /* the driver's memory for its regions, beyond bytes_wired */
	atomic_uint region_count;
	atomic_uint_fast64_t bytes_wired, calls, interrupts;
};

#define SAVED_CONFIG_MAX 24

/* Registers to restore after a reset, in this order, and COMMAND after them. */
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
	DRIVER_TERMINATED, /* the device is released: every call fails with kIOReturnOffline */
	DRIVER_REMOVED, /* the device is unplugged: likewise, but config space reads as all ones */
};

/* The trace of calls. Its memory is allocated when a client first maps it. */
struct driver_trace {
	pthread_mutex_t lock; /* guards the allocation and increments of users */
	int fd;
	struct dext_trace *ring;
	atomic_uint users; /* number of mappings; 0: calls are not traced */
};

struct dext_driver {
	struct pci_provider *provider;
	struct iouser_service *service;

	struct dext_quotas quotas;

	/* Constant. */
	uint16_t vendor_id, device_id;
	uint32_t class_code;
	enum dext_interrupt_kind interrupt_kind;
	unsigned vectors;

	/*
	 * lock guards clients, claims and the members up to restore_pending. It is held
	 * while the device is opened, closed or reset, and never while a client is asked for
	 * something. It is taken before irq_lock.
	 */
	pthread_mutex_t lock;
	TAILQ_HEAD(, dext_client) clients;
	uint32_t last_number;
	unsigned claims;
	bool exclusive; /* the only claim excludes others */
	bool shared;	/* there were several claims: other clients may still map BARs */
	bool irq_routed;
	unsigned eventfds;	     /* of all clients: at most DEXT_VECTORS_MAX */
	struct saved_config initial; /* before the first claim */
	struct saved_config saved;   /* before the last reset */
	atomic_bool restore_pending; /* saved is not restored yet; written under lock */

	/* irq_lock guards the clients that take interrupts and their armed calls. */
	pthread_mutex_t irq_lock;
	LIST_HEAD(, client_irq) irq_clients;

	/*
	 * regions_lock guards changes of all clients' region trees against threads that list
	 * them. A client's own thread reads its tree without it. It is a leaf.
	 */
	pthread_mutex_t regions_lock;

	_Atomic enum driver_state state;
	atomic_uint_fast64_t resets;
	struct driver_trace trace;
};

/* A handler: @in and @out have the number of scalars that the table says. */
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
/* Whether the client may map memory of that type; kIOReturnUnsupported for an unknown type. */
kern_return_t dext_check_memory(const struct dext_client *client, uint32_t type);

/* trace.c */
void dext_trace_init(struct driver_trace *trace);
void dext_trace_destroy(struct driver_trace *trace);
kern_return_t dext_trace_memory(struct driver_trace *trace, struct iouser_memory *memory);
uint64_t dext_trace_begin(const struct driver_trace *trace);
void dext_trace_end(struct dext_client *client, const struct iouser_arguments *arguments,
	kern_return_t status, uint64_t began);

/* claim.c: remove the service from the registry, and set a final state. */
void dext_withdraw(struct dext_driver *driver, enum driver_state state);

/* irq.c: complete every armed call with @status. */
void dext_complete_all(struct dext_driver *driver, kern_return_t status);

/* config.c: the offset of a capability in config space, 0 for none. */
unsigned dext_find_capability(struct pci_provider *provider, uint8_t id);

/* driver.c: end the mappings of a client that has disconnected. */
void dext_drop_mappings(struct dext_client *client);

/*
 * claim.c: release claim, mappings and DMA memory of a client that has disconnected. The last
 * claim's release resets the device and disables bus mastering.
 */
void dext_unclaim(struct dext_client *client);

/* reset.c: reset the device and restore config space. driver->lock is held. */
kern_return_t dext_reset(struct dext_driver *driver);
/* reset.c: save the registers to restore after a reset. */
void dext_save_config(struct pci_provider *provider, struct saved_config *saved);
/* reset.c: restore config space after a reset that timed out, if the device responds. */
void dext_restore_pending(struct dext_driver *driver);
/* reset.c: whether the device responds; otherwise config space reads as all ones. */
bool dext_responds(struct dext_driver *driver);

/* irq.c */
void dext_find_interrupts(struct dext_driver *driver);
void dext_drop_interrupts(struct dext_client *client);
kern_return_t dext_irq_memory(struct dext_client *client, struct iouser_memory *memory);

/* bar.c */
kern_return_t dext_bar_memory(
	struct dext_client *client, unsigned bar, struct iouser_memory *memory);

/*
 * A DMA region. Up to DEXT_CHUNK_MAX bytes are one chunk. Together with the memory of the
 * runtime and of a software device, a region of one chunk takes less than 256 bytes.
 */
struct dma_region {
	struct dma_owner owner; /* first: the region is the owner, and is freed after accesses */
	RB_ENTRY(dma_region) node;
	uint64_t iova, size;
	struct iouser_task_memory *memory;
	struct dma_segment segments[]; /* dext_region_chunks(); length 0: not mapped */
};
/* The number of chunks of @size bytes (not 0), which the IOMMU maps as one segment each. */
static inline uint64_t dext_chunk_count(uint64_t size)
{
	return (size - 1) / DEXT_CHUNK_MAX + 1;
}
static inline unsigned dext_region_chunks(const struct dma_region *region)
{
	return (unsigned)dext_chunk_count(region->size);
}
struct dma_region *dext_region_next(struct dma_region *region);

/* probe.c: release a probe that timed out. */
void dext_drop_probe(struct dext_client *client);

/* dma.c, buffer.c */
/*
 * Fill in the spans of [@offset, @offset + @length) of a client's memory. Return: how many, at
 * most iouser_task_memory_count().
 */
size_t dext_cut_spans(const struct iouser_task_memory *memory, uint64_t offset, uint64_t length,
	struct dma_span *spans);
/* Whether the client's quota allows @bytes more. */
bool dext_check_quota(const struct dext_client *client, uint64_t bytes);
/* Memory to register: @size bytes at an address of the client, or in a file that it sent. */
struct region_memory {
	uint64_t size;
	uint64_t va; /* if fd is -1 */
	int fd;
	uint64_t offset; /* in the file */
	bool writable;	 /* by the device; at an address: as the client's mapping is */
};
kern_return_t dext_register_region(struct dext_client *client, uint64_t iova,
	const struct region_memory *memory, struct dma_region **region);
/* The memory of a descriptor of the call. kIOReturnBadArgument: no such one, or unknown flags. */
kern_return_t dext_file_memory(const struct iouser_arguments *arguments, size_t descriptor,
	uint64_t offset, uint64_t size, uint64_t flags, struct region_memory *memory);
kern_return_t dext_unregister_region(struct dext_client *client, uint64_t iova);
struct dma_region *dext_find_region(struct dext_client *client, uint64_t iova);
/*
 * Unmap all regions from the device, while no call of the client is executed.
 * dext_drop_regions() then only frees them, which can stall when it releases memory.
 */
void dext_unmap_regions(struct dext_client *client);
void dext_drop_regions(struct dext_client *client);
void dext_drop_buffer(struct dext_client *client);
kern_return_t dext_buffer_memory(struct dext_client *client, struct iouser_memory *memory);

#endif
