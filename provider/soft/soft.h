/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The framework of software devices. A device type is a struct soft_model, in a folder of its
 * own. The framework implements what all devices share (config space, BAR memory, the IOMMU,
 * routing of interrupts, resets) and calls the model.
 *
 * Threads: bar_read, bar_write and bar_mapped may be called from several threads at a time,
 * concurrently with the model's own thread: the model does the locking. During a reset the
 * framework calls no other function of the model; the model stops its own thread.
 *
 * While a device does not respond after a reset (try_reset), reads of config space and BARs
 * return all ones, writes are ignored, and the model is not called. Mapped memory is unchanged.
 */
#ifndef PROVIDER_SOFT_SOFT_H
#define PROVIDER_SOFT_SOFT_H

#include "driver/provider.h"
#include "provider/soft/worker.h"
#include "provider/spec.h"

#include <pthread.h>

struct soft_device;

/* The time until a device responds that never does. */
#define SOFT_NEVER UINT32_MAX

struct soft_model {
	const char *name;	     /* the TYPE of a specification */
	const char *summary;	     /* one line for --help */
	const struct spec_key *keys; /* its own keys; ends with a NULL name */

	/*
	 * Set the device up with soft_set_identity(), soft_add_bar(), soft_add_msix_capability()
	 * and others, then allocate its own state for soft_set_private(). On failure the model
	 * frees its own state and fills @error in.
	 */
	bool (*create)(struct soft_device *device, const struct device_spec *spec,
		struct spec_error *error);
	/* Stop its thread and free its state. Called after a reset: no access is in progress. */
	void (*destroy)(struct soft_device *device);

	/* Accesses by call. @offset and @width have been checked. */
	uint64_t (*bar_read)(
		struct soft_device *device, unsigned bar, uint64_t offset, unsigned width);
	void (*bar_write)(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width,
		uint64_t value);
	/*
	 * The first mapping of a BAR began (true), or the last ended (false). In between,
	 * clients can store to its memory without a call. May be NULL.
	 */
	void (*bar_mapped)(struct soft_device *device, unsigned bar, bool mapped);

	/*
	 * Called before reset, under the same conditions. kIOReturnSuccess: reset is called
	 * next; *@ready_ms (initially 0) can be set to the time in milliseconds until the device
	 * responds, or to SOFT_NEVER: not before a hot reset. kIOReturnUnsupported: the device
	 * lacks that kind of reset. Other codes: the reset fails without effect. NULL: all kinds
	 * succeed.
	 *
	 * Not called for kinds that the capabilities exclude: FLR without its bit in the PCI
	 * Express capability, a power cycle without power management or with No_Soft_Reset.
	 */
	kern_return_t (*try_reset)(
		struct soft_device *device, enum pci_reset kind, unsigned *ready_ms);
	/*
	 * Set registers, queues and BAR memory to the power-on state, and stop DMA. The
	 * framework resets config space.
	 *
	 * Return: false when the model's thread is still in an access at @until
	 * (CLOCK_MONOTONIC): the framework calls it again, or replaces the model.
	 */
	bool (*reset)(struct soft_device *device, const struct timespec *until);
	/*
	 * Called when reset failed because an access to memory does not return; the worker is
	 * frozen. Allocate a new state at power-on with a new worker, pass it to
	 * soft_set_private(), and transfer what survives resets: files, the memory of BARs,
	 * counters.
	 *
	 * Return: false when memory or threads are out: nothing has changed.
	 */
	bool (*replace)(struct soft_device *device);
	/*
	 * Whether the device asserts its interrupt pin, which STATUS reports. Called from any
	 * thread. A model that can raise INTx must have it.
	 */
	bool (*line)(struct soft_device *device);
	/* Bits of COMMAND changed, for example bus mastering. May be NULL. */
	void (*command_changed)(struct soft_device *device, uint16_t command);
};

void soft_set_private(struct soft_device *device, void *state);
void *soft_private(struct soft_device *device);

/* --- Called by create only ----------------------------------------------------------- */

struct soft_identity {
	uint16_t vendor_id, device_id, subsystem_vendor_id, subsystem_id;
	uint32_t class_code; /* 24 bits */
	uint8_t revision;
	uint8_t interrupt_pin; /* 0: none, 1: INTA */
};
void soft_set_identity(struct soft_device *device, const struct soft_identity *identity);

/**
 * soft_set_memory_lock - set the lock under which the model accesses the memory of its BARs
 * @lock: a lock of the model; need not be initialised before create returns
 *
 * Call it before soft_add_bar() with SOFT_BAR_SHARED. The model accesses the memory with the
 * lock held, on every thread. The framework takes it, as a leaf, while it replaces the memory
 * after the last mapping has ended (bar-memory.c).
 */
void soft_set_memory_lock(struct soft_device *device, pthread_mutex_t *lock);

enum soft_bar_memory {
	SOFT_BAR_CALLS,	 /* no memory: every access calls the model */
	SOFT_BAR_SHARED, /* memory that clients can map; calls go to the model too */
};
/**
 * soft_add_bar - give the device a BAR
 * @size: a power of two; memory BARs at least 16 KiB, so that every host can map them
 * @type: DEXT_BAR_*
 *
 * Return: the memory of a SOFT_BAR_SHARED BAR, zeroed, at a constant address; NULL with @error
 * filled in when it failed; NULL for SOFT_BAR_CALLS.
 */
void *soft_add_bar(struct soft_device *device, unsigned bar, uint64_t size, uint8_t type,
	enum soft_bar_memory memory, struct spec_error *error);

/* Each returns the offset of the capability in config space. */
unsigned soft_add_pm_capability(struct soft_device *device);
unsigned soft_add_pcie_capability(struct soft_device *device, bool flr);
unsigned soft_add_msi_capability(
	struct soft_device *device, unsigned vectors); /* 1 to 32, a power of two */
unsigned soft_add_msix_capability(struct soft_device *device, unsigned vectors, unsigned table_bar,
	uint32_t table_offset, unsigned pba_bar, uint32_t pba_offset);
/* Vendor-specific: @length bytes (252 at most) follow its header of three bytes. */
unsigned soft_add_vendor_capability(struct soft_device *device, const void *data, uint8_t length);

/**
 * soft_set_config - set bytes of config space that no function above sets
 * @offset, @width: 1, 2 or 4 bytes, within config space
 *
 * The value is part of the power-on state; which bits are writable does not change. The
 * framework finds capabilities where they were added, even if the list is changed.
 */
void soft_set_config(struct soft_device *device, unsigned offset, unsigned width, uint32_t value);

/* The interrupts of a device that can have several kinds. */
struct soft_interrupts {
	enum dext_interrupt_kind kind;
	unsigned vectors; /* 0 for none, 1 for INTx */
};
/**
 * soft_parse_interrupts - the keys "irq" (none, intx, msi, msix) and "vectors"
 * @may_lack: whether irq=none is allowed
 * @most, @usual: maximum and default number of MSI-X vectors; for MSI both are 32
 *
 * The default of irq is msix. The model adds the capability.
 */
bool soft_parse_interrupts(const struct device_spec *spec, bool may_lack, unsigned most,
	unsigned usual, struct soft_interrupts *interrupts, struct spec_error *error);

/* --- At run time, from any thread ------------------------------------------------- */

/**
 * soft_dma_read - read memory by bus address (device <- memory)
 * soft_dma_write - write it (device -> memory)
 *
 * Call them, and the two functions below, without a lock: memory can stall the access, and an
 * access that a reset abandons does not return (worker.h).
 *
 * Return: true; false when bus mastering is disabled, and for a master abort: a byte is not mapped
 * or its memory no longer exists. Both are logged, a master abort counts as a DMA fault, and bytes
 * before it may have been transferred. Bytes are transferred in order; an aligned write of up to 8
 * bytes is one store.
 */
bool soft_dma_read(struct soft_device *device, uint64_t bus_address, void *buffer, size_t length);
bool soft_dma_write(
	struct soft_device *device, uint64_t bus_address, const void *buffer, size_t length);

/**
 * soft_dma_from_file - file to memory, without a copy in between where it is shared
 * soft_dma_to_file - memory to file
 * @segments: @count of them, at least one; the file's bytes from @offset on go to or come from
 *	one after the other, many of them with one system call
 * @may_wait: false: only what the page cache has
 *
 * Return: 0; -EFAULT where the functions above return false; else the negative errno of the
 * file's side, -EIO for a file that ends too early. Without @may_wait also -EAGAIN: the page
 * cache has not all of it, and -EOPNOTSUPP: the file cannot be read that way. Bytes before may
 * have been transferred.
 */
int soft_dma_from_file(struct soft_device *device, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset, bool may_wait);
int soft_dma_to_file(struct soft_device *device, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset);

/**
 * soft_irq_raise - an interrupt message (MSI, MSI-X), or for INTx an assertion, of @vector
 *
 * Ignored while the host has not set interrupts up. A @vector beyond those set up raises the
 * last one: vector 5 raises the only one when the host uses INTx.
 */
void soft_irq_raise(struct soft_device *device, unsigned vector);

/** soft_bus_master - whether bus mastering is enabled in COMMAND. */
bool soft_bus_master(struct soft_device *device);
/** soft_name - "nvme 01:00.0", for log lines. */
const char *soft_name(const struct soft_device *device);
/** soft_log - one line on standard error, after the device's name; at most a few a second. */
void soft_log(struct soft_device *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** soft_log_always - the same without the limit, for lines that are logged once for a device. */
void soft_log_always(struct soft_device *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* All device types: X(name) stands for soft_<name>_model, in the folder of that name. */
#define SOFT_MODELS(X) X(nvme) X(edu) X(odd)

#define SOFT_DECLARE_MODEL(name) extern const struct soft_model soft_##name##_model;
SOFT_MODELS(SOFT_DECLARE_MODEL)
#undef SOFT_DECLARE_MODEL

#endif
