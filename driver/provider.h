/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The provider interface: what a PCI device must offer for the driver to own it
 * (DriverKit's IOPCIDevice plays this part on macOS). A provider knows nothing
 * of clients, claims or sockets.
 *
 * Return values are IOReturn codes. Unless said otherwise a function may be
 * called from any thread, several at a time.
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
 * Who keeps memory in place (mapped, its descriptors open) for as long as anybody may access
 * it. Counted; from any thread.
 */
struct dma_owner {
	atomic_uint references;
	void (*free)(struct dma_owner *owner); /* with the last reference, on whatever thread */
};

static inline void dma_owner_get(struct dma_owner *owner)
{
	if (owner)
		atomic_fetch_add(&owner->references, 1);
}

/* Return: whether it was the last reference, and the owner is gone. */
static inline bool dma_owner_put(struct dma_owner *owner)
{
	if (!owner || atomic_fetch_sub(&owner->references, 1) != 1)
		return false;
	owner->free(owner);
	return true;
}

/* What is to be mapped for DMA: @span_count spans, @length bytes in all. */
struct dma_request {
	bool anywhere; /* any address will do; else iova is what the client wants */
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
	uint64_t length; /* less than was asked for: the rest would be another segment */
};

/* What an IOMMU can map at a time (UINT64_MAX: no limit), and what it has mapped. */
struct dma_limits {
	enum dext_iommu_kind kind;
	uint64_t bytes, maps;
	uint64_t bytes_used, maps_used;
};

/* The memory of a BAR, to be mapped by a client. */
struct pci_bar_memory {
	int fd;		 /* borrowed */
	uint64_t offset; /* where the BAR begins in the file */
	/* Whole pages that are not given to clients (the MSI-X table's); hole_size 0: none. */
	uint64_t hole, hole_size;
	bool owner_alone; /* only for clients of the service's own user, and root */
};

/* What a device has to say that no call asked for. */
enum pci_event {
	PCI_EVENT_ERROR,   /* an uncorrectable error: it needs a reset */
	PCI_EVENT_REMOVED, /* unplugged, or wanted back by the host: nothing answers from here on */
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
	/* The first claim; the last one gone. Never at the same time. */
	kern_return_t (*open)(struct pci_provider *provider);
	void (*close)(struct pci_provider *provider);

	/* Report events to @sink from here on. Called once, before open. NULL: there are none. */
	void (*watch)(struct pci_provider *provider, pci_event_sink sink, void *context);

	/* @offset and @width have been checked: 1, 2 or 4, aligned, within 4096. */
	kern_return_t (*config_read)(
		struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t *value);
	kern_return_t (*config_write)(
		struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t value);

	/* @bar is implemented; @offset and @width have been checked: 1, 2, 4 or 8, aligned, within it. */
	kern_return_t (*bar_read)(struct pci_provider *provider, unsigned bar, uint64_t offset,
		unsigned width, uint64_t *value);
	kern_return_t (*bar_write)(struct pci_provider *provider, unsigned bar, uint64_t offset,
		unsigned width, uint64_t value);
	/*
	 * The BAR as a descriptor to map: one mapping more, which lasts, as the descriptor
	 * does, until bar_unmapped. kIOReturnNotReady when it has none; kIOReturnNoResources.
	 */
	kern_return_t (*bar_memory)(
		struct pci_provider *provider, unsigned bar, struct pci_bar_memory *memory);
	/*
	 * One mapping of the BAR has ended. With the last one whoever kept it, or the
	 * descriptor, reaches nothing of the device any more. NULL where that cannot be had.
	 */
	void (*bar_unmapped)(struct pci_provider *provider, unsigned bar);

	/*
	 * Map for DMA. kIOReturnBusy when the addresses are taken, kIOReturnNoSpace
	 * when the IOMMU is full. A segment shorter than the request is for the
	 * caller to unmap.
	 */
	kern_return_t (*dma_map)(struct pci_provider *provider, const struct dma_request *request,
		struct dma_segment *segment);
	/*
	 * No access of the device begins after it has returned. One that was under way has
	 * ended, unless the memory held it up for longer than a second or so: then the
	 * provider holds a reference to the memory's owner until it ends.
	 */
	void (*dma_unmap)(struct pci_provider *provider, const struct dma_segment *segment);

	/* Route the device's vectors to @sink until irq_teardown, after which it is not called again. */
	kern_return_t (*irq_setup)(struct pci_provider *provider, enum dext_interrupt_kind kind,
		unsigned vectors, pci_irq_sink sink, void *context);
	void (*irq_teardown)(struct pci_provider *provider);
	/*
	 * A client has taken the interrupt of an INTx line, and waits for the next one: let the
	 * line fire again. NULL where the provider does not mask it.
	 */
	void (*irq_unmask)(struct pci_provider *provider);

	/*
	 * One kind of reset; kIOReturnUnsupported when the device lacks it. Returns
	 * when the device answers again, or kIOReturnTimeout. Config space is at its
	 * power-on state afterwards: restoring it is the driver's work.
	 */
	kern_return_t (*reset)(struct pci_provider *provider, enum pci_reset kind);

	/* How many accesses of the device met no mapping; UINT64_MAX: the host does not tell. */
	uint64_t (*dma_faults)(struct pci_provider *provider);

	void (*dma_limits)(struct pci_provider *provider, struct dma_limits *limits);

	/* Raise a vector as if the device had. NULL where a provider cannot. */
	kern_return_t (*irq_trigger)(struct pci_provider *provider, unsigned vector);
	/* Software devices alone, else NULL: pull it out: no DMA, no interrupt, and every read gives ones from here on. */
	kern_return_t (*remove)(struct pci_provider *provider);

	/* Frees the provider; nothing of it is in use. */
	void (*destroy)(struct pci_provider *provider);
};

/* Embedded at the beginning of every provider. Constant once created. */
struct pci_provider {
	const struct pci_provider_ops *ops;
	struct pci_address address;
	struct pci_bar bars[DEXT_BARS];
};

#endif
