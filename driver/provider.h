/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The provider interface: the operations of a PCI device that the driver uses (on macOS those of
 * DriverKit's IOPCIDevice). A provider knows nothing of clients, claims or sockets.
 *
 * Return values are IOReturn codes. Unless said otherwise a function may be called from several
 * threads at a time.
 */
#ifndef DRIVER_PROVIDER_H
#define DRIVER_PROVIDER_H

#include "common/dma-span.h"
#include "common/pci-address.h"

#include <IOKit/IOReturn.h>
#include <dext-abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pci_bar {
	bool implemented;
	uint8_t type;  /* low bits of the register: DEXT_BAR_* */
	uint64_t size; /* a power of two */
};

/*
 * Owns memory: keeps it mapped and its descriptors open while it is referenced. Thread-safe.
 */
struct dma_owner {
	atomic_uint references;
	void (*free)(struct dma_owner *owner); /* called with the last reference, on any thread */
};

static inline void dma_owner_get(struct dma_owner *owner)
{
	if (owner)
		atomic_fetch_add(&owner->references, 1);
}

/* Return: whether it was the last reference, and the owner has been freed. */
static inline bool dma_owner_put(struct dma_owner *owner)
{
	if (!owner || atomic_fetch_sub(&owner->references, 1) != 1)
		return false;
	owner->free(owner);
	return true;
}

/* Memory to map for DMA: @span_count spans, @length bytes in total. */
struct dma_request {
	bool anywhere; /* the provider chooses the address; else it is iova */
	uint64_t iova;
	uint64_t alignment; /* of the bus address: a power of two, or 0 */
	uint64_t length;
	const struct dma_span *spans; /* copied */
	size_t span_count;
	/* A provider that may access the memory after dma_unmap() holds a reference. May be NULL. */
	struct dma_owner *owner;
};

struct dma_segment {
	uint64_t bus_address;
	uint64_t length; /* less than requested when the rest would be another segment */
};

/* How much an IOMMU can map at a time (UINT64_MAX: no limit), and how much is mapped. */
struct dma_limits {
	enum dext_iommu_kind kind;
	uint64_t bytes, maps;
	uint64_t bytes_used, maps_used;
};

/* The memory of a BAR, for a client to map. */
struct pci_bar_memory {
	int fd;		 /* borrowed */
	uint64_t offset; /* where the BAR begins in the file */
	/* Whole pages that clients must not map (those of the MSI-X table); hole_size 0: none. */
	uint64_t hole, hole_size;
	bool owner_only; /* only clients of the service's own user and root may map it */
};

/* Events of a device. */
enum pci_event {
	PCI_EVENT_ERROR,   /* an uncorrectable error: the device needs a reset */
	PCI_EVENT_REMOVED, /* unplugged, or the host requests it back: it no longer responds */
};

enum pci_reset {
	PCI_RESET_FUNCTION, /* FLR */
	PCI_RESET_HOT,	    /* secondary bus reset */
	PCI_RESET_POWER,    /* D3hot and back to D0 */
	PCI_RESET_KINDS,
};

struct pci_provider;

/* Called by the provider when vector @vector fires, on any thread; must not block. */
typedef void (*pci_irq_sink)(void *context, unsigned vector);
/* Called by the provider, on a thread of its own that holds no lock. */
typedef void (*pci_event_sink)(void *context, enum pci_event event);

struct pci_provider_ops {
	/* Called for the first claim, and after the last one. Never concurrently. */
	kern_return_t (*open)(struct pci_provider *provider);
	void (*close)(struct pci_provider *provider);

	/* Report events to @sink from now on. Called once, before open. NULL: there are none. */
	void (*watch)(struct pci_provider *provider, pci_event_sink sink, void *context);

	/* @offset and @width have been checked: 1, 2 or 4, aligned, within 4096. */
	kern_return_t (*config_read)(
		struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t *value);
	kern_return_t (*config_write)(
		struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t value);
	/*
	 * Any range of config space, as the driver would read it word by word: NULL, and it does.
	 * @offset and @length have been checked.
	 */
	kern_return_t (*config_read_block)(
		struct pci_provider *provider, uint32_t offset, uint8_t *bytes, uint32_t length);

	/* @bar is implemented; @offset and @width have been checked: 1, 2, 4 or 8, aligned, within it. */
	kern_return_t (*bar_read)(struct pci_provider *provider, unsigned bar, uint64_t offset,
		unsigned width, uint64_t *value);
	kern_return_t (*bar_write)(struct pci_provider *provider, unsigned bar, uint64_t offset,
		unsigned width, uint64_t value);
	/*
	 * The BAR as a descriptor to map. Counts one mapping until bar_unmapped; the descriptor
	 * stays open as long. kIOReturnNotReady: the BAR cannot be mapped;
	 * kIOReturnNoResources: out of memory or descriptors.
	 */
	kern_return_t (*bar_memory)(
		struct pci_provider *provider, unsigned bar, struct pci_bar_memory *memory);
	/*
	 * One mapping of the BAR has ended. After the last one, processes that still have it
	 * mapped, or its descriptor, no longer reach the device. NULL: not supported.
	 */
	void (*bar_unmapped)(struct pci_provider *provider, unsigned bar);

	/*
	 * Map for DMA. kIOReturnBusy: the addresses are in use; kIOReturnNoSpace: the IOMMU is
	 * full. The caller unmaps a segment that is shorter than requested.
	 */
	kern_return_t (*dma_map)(struct pci_provider *provider, const struct dma_request *request,
		struct dma_segment *segment);
	/*
	 * After it has returned, no access of the device begins. Accesses in progress have
	 * ended, unless the memory stalled one for longer than about a second: then the provider
	 * holds a reference to the memory's owner until it ends.
	 */
	void (*dma_unmap)(struct pci_provider *provider, const struct dma_segment *segment);

	/* Route the device's vectors to @sink. It is not called after irq_teardown has returned. */
	kern_return_t (*irq_setup)(struct pci_provider *provider, enum dext_interrupt_kind kind,
		unsigned vectors, pci_irq_sink sink, void *context);
	void (*irq_teardown)(struct pci_provider *provider);
	/*
	 * Signal eventfds instead of calling the sink: fds[i] for vector @first + i, or call the
	 * sink for -1. The descriptors are the caller's; after a vector's has been replaced it is
	 * not signalled any more. An error leaves all of them to the sink. irq_teardown ends it.
	 * NULL: the provider always calls the sink.
	 */
	kern_return_t (*irq_set_eventfds)(
		struct pci_provider *provider, unsigned first, unsigned count, const int *fds);
	/*
	 * A client has handled an INTx interrupt and waits for the next one: unmask the line.
	 * NULL: the provider does not mask it.
	 */
	void (*irq_unmask)(struct pci_provider *provider);

	/*
	 * One kind of reset; kIOReturnUnsupported when the device lacks it. Returns when the
	 * device responds again, or kIOReturnTimeout. Config space is then in its power-on
	 * state: the driver restores it.
	 */
	kern_return_t (*reset)(struct pci_provider *provider, enum pci_reset kind);

	/* Number of device accesses to unmapped addresses; UINT64_MAX: not known. */
	uint64_t (*dma_faults)(struct pci_provider *provider);

	void (*dma_limits)(struct pci_provider *provider, struct dma_limits *limits);

	/* Raise a vector as if the device had. NULL: not supported. */
	kern_return_t (*irq_trigger)(struct pci_provider *provider, unsigned vector);
	/*
	 * Unplug a software device: it makes no DMA and no interrupts, and reads return all
	 * ones. NULL: not supported.
	 */
	kern_return_t (*remove)(struct pci_provider *provider);

	/* Free the provider, which is not in use. */
	void (*destroy)(struct pci_provider *provider);
};

/* The first member of every provider. Constant once created. */
struct pci_provider {
	const struct pci_provider_ops *ops;
	struct pci_address address;
	struct pci_bar bars[DEXT_BARS];
	/* The BARs that bar_memory returns are memory, which the device polls while it is mapped. */
	bool polls_bars;
};

#endif
