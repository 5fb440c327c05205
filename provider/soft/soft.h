/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a software device is made of. A device type is a struct soft_model and a
 * folder; everything that all devices share (config space, BAR memory, the IOMMU,
 * interrupt routing, resets) is here and calls into the model.
 *
 * Threads: bar_read, bar_write and bar_mapped of one device may be called from
 * several threads at a time, and beside the model's own threads: the model locks.
 * reset is called with no other of the model's functions running that the
 * framework calls; the model's own threads are the model's to stop.
 *
 * A device that does not answer after a reset (try_reset) reads as all ones, in
 * config space and in BARs by call, and takes no writes: the model is not called.
 * Mapped memory stays what it is.
 */
#ifndef PROVIDER_SOFT_SOFT_H
#define PROVIDER_SOFT_SOFT_H

#include "driver/provider.h"
#include "provider/soft/worker.h"
#include "provider/spec.h"

#include <pthread.h>

struct soft_device;

/* How long a device takes that never answers again. */
#define SOFT_NEVER UINT32_MAX

struct soft_model {
	const char *name;	     /* the TYPE of a specification */
	const char *summary;	     /* one line for --help */
	const struct spec_key *keys; /* its own keys; ends with a NULL name */

	/*
	 * Set the device up: soft_set_identity(), soft_add_bar(), soft_add_msix_capability() and others,
	 * then its own state, kept with soft_set_private(). On failure everything of
	 * its own is undone and @error filled in.
	 */
	bool (*create)(struct soft_device *device, const struct device_spec *spec,
		struct spec_error *error);
	/* Stop its thread, free its state. It has just been reset, and makes no access. */
	void (*destroy)(struct soft_device *device);

	/* Accesses by call. A BAR without shared memory (soft_add_bar) must have both. */
	uint64_t (*bar_read)(
		struct soft_device *device, unsigned bar, uint64_t offset, unsigned width);
	void (*bar_write)(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width,
		uint64_t value);
	/*
	 * The first mapping of a BAR appeared (true), the last went (false): between
	 * the two, stores can arrive in its memory unannounced. May be NULL.
	 */
	void (*bar_mapped)(struct soft_device *device, unsigned bar, bool mapped);

	/*
	 * Asked before a reset, called as reset is: may it happen? kIOReturnSuccess:
	 * reset is called next; *@ready_ms, 0 at the call, can be set to how long the
	 * device does not answer afterwards, in milliseconds, or to SOFT_NEVER: not
	 * before its bus is reset. kIOReturnUnsupported: it lacks that kind. Another
	 * code: that kind fails, and nothing has happened. May be NULL: all succeed.
	 *
	 * It is not asked for kinds that the capabilities rule out: FLR without its bit
	 * in a PCI Express capability, a power cycle without power management or with
	 * No_Soft_Reset.
	 */
	kern_return_t (*try_reset)(
		struct soft_device *device, enum pci_reset kind, unsigned *ready_ms);
	/*
	 * Back to the power-on state: registers, queues, no DMA in flight and none
	 * later on behalf of what was before. Config space is reset by the framework.
	 *
	 * Return: false when the model's thread has not come back by @until
	 * (CLOCK_MONOTONIC): the framework calls again, or replaces the model.
	 */
	bool (*reset)(struct soft_device *device, const struct timespec *until);
	/*
	 * Called instead when an access to memory does not return: the worker is frozen. Make
	 * a new state at power-on with a worker of its own, keep it with soft_set_private(),
	 * and take over what resets leave alone: files, the memory of BARs, counters.
	 *
	 * Return: false when there is no memory or no thread for it: nothing has changed.
	 */
	bool (*replace)(struct soft_device *device);
	/*
	 * Whether the device asserts its interrupt pin: STATUS tells it, so that who was
	 * told of an interrupt by the line can see whether it is still so. From any
	 * thread; a model that raises interrupts with INTx alone must have it.
	 */
	bool (*line)(struct soft_device *device);
	/* Bits of COMMAND changed (bus mastering, say). May be NULL. */
	void (*command_changed)(struct soft_device *device, uint16_t command);
};

void soft_set_private(struct soft_device *device, void *state);
void *soft_private(struct soft_device *device);

/* --- Setting up, from within create alone --------------------------------------- */

struct soft_identity {
	uint16_t vendor_id, device_id, subsystem_vendor_id, subsystem_id;
	uint32_t class_code; /* 24 bits */
	uint8_t revision;
	uint8_t interrupt_pin; /* 0: none, 1: INTA */
};
void soft_set_identity(struct soft_device *device, const struct soft_identity *identity);

/**
 * soft_set_memory_lock - name the lock under which the model touches the memory of its BARs
 * @lock: the model's; need not be initialised before create returns
 *
 * Before soft_add_bar() with SOFT_BAR_SHARED. All of the model's loads and stores there
 * are made with the lock held, on whatever thread. The framework takes it, as a leaf,
 * while it puts other memory of the same content in the same place: when nobody has the
 * BAR mapped any more, so that those who kept a mapping reach nothing of the device.
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
 * Return: the memory of a SOFT_BAR_SHARED one, zeroed, at this address until the device goes;
 * NULL for another kind, or (with @error filled in) when it failed.
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
 * soft_set_config - put a value into config space that nothing above can express
 * @offset, @width: 1, 2 or 4 bytes, within config space
 *
 * It is part of the power-on state, and read-only where it was. What the framework
 * itself looks for (power management, PCI Express) it finds where it was added,
 * whatever becomes of the list's pointers.
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
 * @most, @usual: how many MSI-X vectors there can be, and how many there are unless
 *	"vectors" tells; with MSI these are 32
 *
 * irq is msix unless given. The capability is the model's to add.
 */
bool soft_parse_interrupts(const struct device_spec *spec, bool may_lack, unsigned most,
	unsigned usual, struct soft_interrupts *interrupts, struct spec_error *error);

/* --- At work, from any thread ------------------------------------------------------ */

/**
 * soft_dma_read - read memory by bus address (device <- memory)
 * soft_dma_write - write it (device -> memory)
 *
 * No lock is held: memory can hold the access up. One that it holds up beyond a reset does
 * not return (worker.h). The same goes for the two below.
 *
 * Return: true; false when bus mastering is off or a byte of it is not mapped (a
 * master abort: it is counted, logged once in a while, and nothing is
 * guaranteed of the bytes before it) or has gone away under the mapping. Bytes are
 * moved in order; an aligned write of up to 8 bytes is one store.
 */
bool soft_dma_read(struct soft_device *device, uint64_t bus_address, void *buffer, size_t length);
bool soft_dma_write(
	struct soft_device *device, uint64_t bus_address, const void *buffer, size_t length);

/**
 * soft_dma_from_file - file to memory, without a copy in between where it is shared
 * soft_dma_to_file - memory to file
 *
 * Return: 0; -EFAULT for a master abort as above; else the negative errno of the
 * file's side, -EIO for a file that ends too early.
 */
int soft_dma_from_file(
	struct soft_device *device, uint64_t bus_address, int fd, uint64_t offset, size_t length);
int soft_dma_to_file(
	struct soft_device *device, uint64_t bus_address, int fd, uint64_t offset, size_t length);

/**
 * soft_irq_raise - an interrupt message (MSI, MSI-X), or for INTx an assertion, of @vector
 *
 * Nothing happens while the host has not set interrupts up. @vector past what was set
 * up (say, 5 where the host took a single INTx) is folded onto the last one.
 */
void soft_irq_raise(struct soft_device *device, unsigned vector);

/** soft_bus_master - whether COMMAND lets the device master the bus. */
bool soft_bus_master(struct soft_device *device);
/** soft_uses_intx - whether interrupts assert the pin, as the host has set them up. */
bool soft_uses_intx(struct soft_device *device);
/** soft_name - "nvme 01:00.0", for log lines. */
const char *soft_name(const struct soft_device *device);
/** soft_log - one line on standard error, after the device's name; at most a few a second. */
void soft_log(struct soft_device *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** soft_log_always - the same without that limit, for what a device says once in its life. */
void soft_log_always(struct soft_device *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* All device types: X(name) stands for soft_<name>_model, in the folder of that name. */
#define SOFT_MODELS(X) X(nvme) X(edu) X(odd)

#define SOFT_DECLARE_MODEL(name) extern const struct soft_model soft_##name##_model;
SOFT_MODELS(SOFT_DECLARE_MODEL)
#undef SOFT_DECLARE_MODEL

#endif
