/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client library of the PCI driver extension. Every function is one or a
 * few IOKit calls on a connection; on a host without IOKit, link it with
 * iokit-user, which provides them.
 *
 * Threads: every function may be called from any thread, on any connection, at
 * any time, with one exception: a connection must not be disconnected, and a
 * notification not destroyed, while another thread is still about to use it.
 * Calls on one connection are carried out one at a time, so a slow one (a reset)
 * holds back the others; open a second connection where that matters.
 *
 * Errors: kIOReturnBadArgument for a null connection or a null pointer that is
 * needed. kIOReturnNotAttached when the driver has gone, kIOReturnOffline when
 * the device has, kIOReturnTimeout when the driver does not answer: any call can
 * return these three, and they are not repeated below.
 */
#ifndef APPLE_DEXT_CLIENT_H
#define APPLE_DEXT_CLIENT_H

#include <IOKit/IOKitLib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AppleDextInterruptNotify AppleDextInterruptNotify;

/* --- Connections ------------------------------------------------------------ */

/**
 * apple_dext_connect - find a device by its address and open it
 * @bus: 0 to 255
 * @device: 0 to 31
 * @function: 0 to 7
 *
 * Opening is not claiming: the device can be looked at, not yet driven.
 *
 * Return: a connection to be closed with apple_dext_disconnect(), or
 * IO_OBJECT_NULL when no device of that address exists, when several do (on
 * several PCI roots), or when it refuses; apple_dext_last_error() says which.
 */
io_connect_t apple_dext_connect(uint8_t bus, uint8_t device, uint8_t function);

/**
 * apple_dext_disconnect - close a connection
 * @connection: may be IO_OBJECT_NULL
 *
 * The driver drops the connection's DMA regions, buffer, interrupts and claim;
 * BARs mapped through it are unmapped. Destroy its notifications first.
 */
void apple_dext_disconnect(io_connect_t connection);

/**
 * apple_dext_claim - take the device for use
 *
 * The first claim opens the device and turns on memory space and bus mastering.
 * Further clients share it. A second claim on one connection changes nothing.
 *
 * Clients that share a device trust each other. They reach the same registers, and what one
 * of them programs may move data into another's memory. A client that keeps the memory of a
 * BAR mapped after it has gone still reaches the device, as long as another client has that
 * BAR mapped: the registers are one piece of memory for all of them. Where that is not
 * wanted, use apple_dext_claim_exclusive().
 *
 * Return: kIOReturnSuccess; kIOReturnExclusiveAccess when another client has
 * claimed it for itself alone; kIOReturnNotResponding when the device does not answer.
 */
kern_return_t apple_dext_claim(io_connect_t connection);

/* --- DMA -------------------------------------------------------------------- */

/**
 * apple_dext_register_dma - let the device reach memory of this process
 * @connection: a connection that has claimed the device
 * @iova: the key of the region; with an IOMMU that the host programs, its bus address too
 * @client_va: where the memory begins in this process; not 0
 * @size: in bytes; not 0
 * @out_bus_addr: set to the address that the device must use; may be NULL
 * @out_bus_len: set to how many bytes from there on; may be NULL. A region over 1.5 GiB
 *	has several pieces, of which this is the first.
 *
 * The memory stays wired until it is unregistered or the connection ends. It
 * must stay mapped that long.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen without a claim;
 * kIOReturnBadArgument for a size or address of 0, or a range that wraps;
 * kIOReturnStillOpen when the iova is a region's already; kIOReturnNoSpace past
 * 65,536 regions or 128 pieces of 1.5 GiB, where the driver has no address space for it,
 * or past what the IOMMU can map; kIOReturnNotAligned when the IOMMU does not map a piece as
 * one; kIOReturnBusy when another region, of this client or another, has some of these bus
 * addresses; kIOReturnNoMemory; kIOReturnVMError when there is no such memory;
 * kIOReturnNotPermitted for private memory of a process that may not be looked into, and for
 * memory of a file that may stall (FUSE, network file systems); kIOReturnNoResources past the
 * driver's quota of wired memory, or when it is out of descriptors.
 */
kern_return_t apple_dext_register_dma(io_connect_t connection, uint64_t iova, uint64_t client_va,
	uint64_t size, uint64_t *out_bus_addr, uint64_t *out_bus_len);

/**
 * apple_dext_unregister_dma - take memory away from the device again
 * @iova: as given to apple_dext_register_dma()
 *
 * When it returns kIOReturnSuccess, the device does not touch the memory any more.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen; kIOReturnNotFound; kIOReturnTimeout when the
 * region is gone, but an access that was under way has not ended within a second, since the
 * memory itself holds it up: what the memory is used for next may meet it.
 */
kern_return_t apple_dext_unregister_dma(io_connect_t connection, uint64_t iova);

/**
 * apple_dext_probe_dma - what the driver sees in a region
 * @iova: the region
 * @offset: in bytes from its beginning
 * @out_word: set to the 8 bytes found there
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen; kIOReturnNotFound for an unknown
 * region; kIOReturnOverrun past its end; kIOReturnDMAError when the memory has
 * gone; kIOReturnTimeout when it does not answer within a second; kIOReturnBusy while the
 * connection's last probe that timed out has not ended; kIOReturnNoResources when too many
 * have not; kIOReturnNoMemory.
 */
kern_return_t apple_dext_probe_dma(
	io_connect_t connection, uint64_t iova, uint64_t offset, uint64_t *out_word);

/* --- Config space ----------------------------------------------------------- */

/**
 * apple_dext_config_read - read config space
 * @offset: 0 to 4095, a multiple of @width
 * @width: 1, 2 or 4 bytes
 * @out_value: set to the value
 *
 * BAR registers show their type bits alone: the host owns the addresses.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for another width or past the
 * end; kIOReturnNotAligned.
 */
kern_return_t apple_dext_config_read(
	io_connect_t connection, uint64_t offset, uint64_t width, uint64_t *out_value);

/**
 * apple_dext_config_write - write config space
 * @offset: 0 to 4095, a multiple of @width
 * @width: 1, 2 or 4 bytes
 * @value: the value; bits past @width are refused
 *
 * Return: as apple_dext_config_read(), and kIOReturnNotOpen without a claim.
 */
kern_return_t apple_dext_config_write(
	io_connect_t connection, uint64_t offset, uint64_t width, uint64_t value);

/**
 * apple_dext_config_read_block - read a stretch of config space
 * @offset: 0 to 4095
 * @buf: gets the bytes
 * @len: how many; @offset + @len at most 4096
 *
 * Reads aligned words of 32 bits, and single bytes at ragged ends.
 *
 * Return: as apple_dext_config_read(); after an error @buf holds nothing of use.
 */
kern_return_t apple_dext_config_read_block(
	io_connect_t connection, uint64_t offset, void *buf, size_t len);

/* --- BARs ------------------------------------------------------------------- */

/**
 * apple_dext_get_bar_info - what a BAR is
 * @bar: 0 to 5
 * @out_mem_idx: set to the memory index for apple_dext_mmio_read(); may be NULL
 * @out_size: set to the size in bytes; may be NULL
 * @out_type: set to the low bits of the BAR register; may be NULL
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument past 5; kIOReturnNotFound for
 * an absent BAR or the upper half of a 64-bit one.
 */
kern_return_t apple_dext_get_bar_info(io_connect_t connection, uint8_t bar, uint8_t *out_mem_idx,
	uint64_t *out_size, uint8_t *out_type);

/**
 * apple_dext_map_bar - map a BAR into this process
 * @bar: 0 to 5, a memory BAR
 * @out_addr: set to where it is
 * @out_size: set to its size in bytes
 * @out_type: set as by apple_dext_get_bar_info(); may be NULL
 *
 * Prefetchable BARs are mapped write-combined. Access it with aligned loads and
 * stores of the device's widths.
 *
 * Return: as apple_dext_get_bar_info(); kIOReturnNotOpen without a claim; kIOReturnNotReady
 * when it cannot be mapped (an I/O BAR, a software device without memory there, a physical one
 * that is not for this user): apple_dext_mmio_read() and apple_dext_mmio_write() reach it;
 * kIOReturnNoResources and kIOReturnNoMemory without descriptors or memory, here or in the
 * service; kIOReturnVMError.
 */
kern_return_t apple_dext_map_bar(io_connect_t connection, uint8_t bar, mach_vm_address_t *out_addr,
	mach_vm_size_t *out_size, uint8_t *out_type);

/**
 * apple_dext_unmap_bar - undo apple_dext_map_bar()
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for an address that it did not give.
 */
kern_return_t apple_dext_unmap_bar(io_connect_t connection, uint8_t bar, mach_vm_address_t addr);

/**
 * apple_dext_mmio_read - one read of a BAR, made by the driver
 * @mem_idx: the memory index, from apple_dext_get_bar_info(), not the BAR's number
 * @offset: in bytes, a multiple of @width
 * @width: 1, 2, 4 or 8 bytes
 * @out_value: set to the value
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen; kIOReturnBadArgument for a width or
 * an offset out of range; kIOReturnNotAligned; kIOReturnNotFound for an unknown index.
 */
kern_return_t apple_dext_mmio_read(io_connect_t connection, uint8_t mem_idx, uint64_t offset,
	uint64_t width, uint64_t *out_value);

/**
 * apple_dext_mmio_write - one write to a BAR, made by the driver
 *
 * Parameters and return as apple_dext_mmio_read().
 */
kern_return_t apple_dext_mmio_write(
	io_connect_t connection, uint8_t mem_idx, uint64_t offset, uint64_t width, uint64_t value);

/* --- Interrupts ------------------------------------------------------------- */

/**
 * apple_dext_setup_interrupts - begin to take the device's interrupts
 * @out_num_vectors: set to how many vectors there are, 1 to 256; may be NULL
 *
 * All vectors start enabled, none pending.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen; kIOReturnStillOpen a second time on
 * one connection; kIOReturnUnsupported when the device has no interrupts.
 */
kern_return_t apple_dext_setup_interrupts(io_connect_t connection, uint32_t *out_num_vectors);

/**
 * apple_dext_set_irq_mask - say which vectors are wanted
 * @mask: bit n of word n/64 enables vector n
 *
 * What fires while its bit is clear is dropped, not kept.
 *
 * Return: kIOReturnSuccess; kIOReturnNotReady before apple_dext_setup_interrupts().
 */
kern_return_t apple_dext_set_irq_mask(io_connect_t connection, const uint64_t mask[4]);

/**
 * apple_dext_read_pending_irqs - take the pending vectors
 * @pending: gets the 256 bits, which are cleared in the same moment
 *
 * Return: kIOReturnSuccess; kIOReturnNotReady before apple_dext_setup_interrupts().
 */
kern_return_t apple_dext_read_pending_irqs(io_connect_t connection, uint64_t pending[4]);

/**
 * apple_dext_interrupt_notify_create - be called when interrupts are pending
 * @connection: after apple_dext_setup_interrupts()
 * @handler_fn: called on a serial queue of its own, once an arming. It takes the
 *	pending bits, then arms again with apple_dext_interrupt_notify_rearm().
 * @opaque: handed to it
 *
 * Armed at once. If bits are pending already, the handler runs at once: perhaps
 * before this function has returned, so that a handler that arms again must wait
 * until its creator has stored what is returned. Where the handler uses the notification,
 * apple_dext_interrupt_notify_create_into() spares that.
 *
 * Return: the notification, for apple_dext_interrupt_notify_destroy(); NULL for a
 * null connection or handler, before apple_dext_setup_interrupts(), without memory.
 */
AppleDextInterruptNotify *apple_dext_interrupt_notify_create(
	io_connect_t connection, void (*handler_fn)(void *opaque), void *opaque);

/**
 * apple_dext_interrupt_notify_rearm - arm again
 *
 * One connection has one armed notification: arming replaces the one armed before.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for NULL; kIOReturnAborted once
 * it is being destroyed.
 */
kern_return_t apple_dext_interrupt_notify_rearm(AppleDextInterruptNotify *notify);

/**
 * apple_dext_interrupt_notify_destroy - end it
 * @notify: may be NULL
 *
 * After it returns the handler is not running and never runs again. From inside
 * the handler itself, that holds from the handler's own return on.
 */
void apple_dext_interrupt_notify_destroy(AppleDextInterruptNotify *notify);

/* --- Reset ------------------------------------------------------------------ */

/**
 * apple_dext_reset_device - reset the device
 *
 * Function level reset, else hot reset, else a power cycle. Interrupts stay set
 * up, config space is restored, DMA regions stay mapped.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen; kIOReturnUnsupported when the device
 * has no way of being reset; kIOReturnTimeout when it does not come back.
 */
kern_return_t apple_dext_reset_device(io_connect_t connection);

/* === Additions =============================================================== */
/*
 * What follows is this project's own. Against a driver that lacks what a
 * function needs, it does without where its comment says so, and returns
 * kIOReturnUnsupported otherwise.
 */

/**
 * apple_dext_connect_with_root - apple_dext_connect() where one address exists under several PCI roots
 * @root: the root's name, as apple_dext_copy_bound_devices() gives it; NULL for any,
 *	"" for the devices that name none
 *
 * Plain connect fails where an address is ambiguous, and its error lists the roots.
 */
io_connect_t apple_dext_connect_with_root(
	const char *root, uint8_t bus, uint8_t device, uint8_t function);

/**
 * apple_dext_last_error - why this thread's last apple_dext_connect() or
 * apple_dext_copy_bound_devices() failed, or found no driver service
 *
 * Where the driver service could not be reached the line has the path of its socket and the
 * system's error.
 *
 * Return: one line without a newline, valid until the next of these calls; "" after a success.
 */
const char *apple_dext_last_error(void);

typedef struct AppleDextIdentity {
	uint8_t bus, device, function;
	uint16_t vendor_id, device_id;
	uint32_t class_code; /* 24 bits: base class, subclass, programming interface */
} AppleDextIdentity;

/** apple_dext_get_identity - who the device is (selector 0). */
kern_return_t apple_dext_get_identity(io_connect_t connection, AppleDextIdentity *out_identity);

typedef struct AppleDextDevice {
	AppleDextIdentity identity;
	uint64_t registry_entry_id; /* of its service */
	char root[16];		    /* its PCI root's name; "" when it has none */
} AppleDextDevice;

/**
 * apple_dext_copy_bound_devices - list the devices that driver extensions own
 * @out_devices: set to an array for apple_dext_free_bound_devices(), or NULL for none,
 *	in order of root and address
 * @out_count: set to how many
 *
 * Return: kIOReturnSuccess, with none too, also where there is no driver service;
 * kIOReturnNoMemory; where there is one that this process cannot use:
 * kIOReturnNotPermitted (its user may not connect), kIOReturnNoResources (it has too many
 * connections or open descriptors), kIOReturnBadArgument (the path of the socket is too
 * long; a NULL argument), kIOReturnUnsupported (another version), kIOReturnTimeout (it does
 * not answer). apple_dext_last_error() says why.
 */
kern_return_t apple_dext_copy_bound_devices(AppleDextDevice **out_devices, size_t *out_count);
/** apple_dext_free_bound_devices - free what apple_dext_copy_bound_devices() gave; NULL is fine. */
void apple_dext_free_bound_devices(AppleDextDevice *devices);

/**
 * apple_dext_claim_exclusive - claim the device for this connection alone
 *
 * Others can neither claim it nor share it until this connection goes. A driver
 * without the addition gets a plain claim. What earlier clients kept mapped does not reach
 * the device: a connection that has shared it must have its BARs unmapped when it makes
 * its claim exclusive.
 *
 * Return: as apple_dext_claim(), and kIOReturnExclusiveAccess when anybody else has a claim;
 * kIOReturnBusy when BARs are mapped by this connection, which has shared the device.
 */
kern_return_t apple_dext_claim_exclusive(io_connect_t connection);

/**
 * apple_dext_interrupt_notify_create_into - create a notification that the handler can use at once
 * @connection, @handler_fn, @opaque: as apple_dext_interrupt_notify_create()
 * @out_notify: set to the notification before it is armed, so before the handler can run;
 *	to NULL on failure
 *
 * A handler may destroy the notification, through *@out_notify, before this has returned.
 *
 * Return: kIOReturnSuccess; kIOReturnNotReady before apple_dext_setup_interrupts();
 * kIOReturnNoMemory; kIOReturnNoResources without descriptors, here or in the driver.
 */
kern_return_t apple_dext_interrupt_notify_create_into(io_connect_t connection,
	void (*handler_fn)(void *opaque), void *opaque, AppleDextInterruptNotify **out_notify);

/**
 * apple_dext_terminate - make the driver extension let go of its device (selector 2)
 *
 * The service leaves the registry, and every connection to it is cut off:
 * calls on them return kIOReturnOffline.
 *
 * Return: kIOReturnSuccess; kIOReturnNotPrivileged without a claim, unless the process is
 * root's or of the user that the driver service runs as.
 */
kern_return_t apple_dext_terminate(io_connect_t connection);

/**
 * apple_dext_copy_bar_descriptor - the descriptor behind a BAR, for another process to map
 * @bar: 0 to 5
 * @out_fd: set to a descriptor of the caller's own, which the caller closes
 * @out_offset: set to where in the file the BAR begins, in bytes
 * @out_size: set to its size in bytes
 *
 * Whoever maps it, shared, reaches the device's registers by loads and stores, as with
 * apple_dext_map_bar(), until the descriptor is given back or the connection ends. Closing
 * it gives nothing back. What is mapped then stays mapped; of a software device it is
 * memory without a device behind it once nobody else has the BAR mapped (apple_dext_claim()
 * says what that means to clients that share a device).
 *
 * Return: as apple_dext_map_bar(); kIOReturnUnsupported where the host's IOKit has no
 * descriptors behind memory; kIOReturnNoResources without descriptors or memory, here or
 * in the driver.
 */
kern_return_t apple_dext_copy_bar_descriptor(io_connect_t connection, uint8_t bar, int *out_fd,
	uint64_t *out_offset, uint64_t *out_size);

/**
 * apple_dext_return_bar_descriptor - give a descriptor back
 * @bar: of the copy; once for each
 *
 * The driver has heard of it before it carries out the connection's next call.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument when there is none that was copied;
 * kIOReturnUnsupported as above.
 */
kern_return_t apple_dext_return_bar_descriptor(io_connect_t connection, uint8_t bar);

typedef struct AppleDextSegment {
	uint64_t bus_address, length;
} AppleDextSegment;

/**
 * apple_dext_register_dma_segments - register a region of any size, and learn all of its segments
 * @iova, @client_va, @size: as apple_dext_register_dma()
 * @segments: gets the segments, in order; together they are @size bytes
 * @count: in: the room in @segments; out: how many there are
 *
 * Against a driver that tells of the first segment alone, memory of more than 1.5 GiB is
 * registered as several regions, at @iova and every 1.5 GiB from there on.
 *
 * Return: as apple_dext_register_dma(); kIOReturnOverrun when there are more segments than
 * room (*count then says how many, and nothing stays registered).
 */
kern_return_t apple_dext_register_dma_segments(io_connect_t connection, uint64_t iova,
	uint64_t client_va, uint64_t size, AppleDextSegment *segments, size_t *count);

/**
 * apple_dext_unregister_dma_segments - undo apple_dext_register_dma_segments()
 * @iova, @size: as given to it
 *
 * Return: as apple_dext_unregister_dma().
 */
kern_return_t apple_dext_unregister_dma_segments(
	io_connect_t connection, uint64_t iova, uint64_t size);

typedef struct AppleDextDMARequest {
	uint64_t iova, client_va, size;
} AppleDextDMARequest;

typedef struct AppleDextDMAResult {
	kern_return_t status; /* as apple_dext_register_dma() would have returned it */
	uint32_t segments;
	uint64_t bus_address, bus_length; /* of the first segment */
} AppleDextDMAResult;

/**
 * apple_dext_register_dma_batch - register many regions in few calls
 * @requests: @count regions, carried out in order
 * @results: gets the result of each; one that fails does not end the others
 *
 * A driver without batches gets them one by one.
 *
 * Return: kIOReturnSuccess when all have been tried, whatever came of each; else why
 * not, and the results of those that were not tried have that status.
 */
kern_return_t apple_dext_register_dma_batch(io_connect_t connection,
	const AppleDextDMARequest *requests, size_t count, AppleDextDMAResult *results);

/**
 * apple_dext_unregister_dma_batch - unregister many regions in few calls
 * @iovas: @count keys
 * @statuses: gets the result of each; may be NULL
 *
 * Return: as apple_dext_register_dma_batch().
 */
kern_return_t apple_dext_unregister_dma_batch(
	io_connect_t connection, const uint64_t *iovas, size_t count, kern_return_t *statuses);

typedef struct AppleDextDMALimits {
	uint32_t kind;	      /* enum dext_iommu_kind (dext-abi.h) */
	uint64_t bytes, maps; /* at a time; UINT64_MAX: no limit */
	uint64_t bytes_used, maps_used;
} AppleDextDMALimits;

/**
 * apple_dext_get_dma_limits - what the device's IOMMU can map, and what is in use
 * @out_limits: filled in
 *
 * Return: kIOReturnSuccess; kIOReturnUnsupported by a driver that has the fixed selectors alone.
 */
kern_return_t apple_dext_get_dma_limits(io_connect_t connection, AppleDextDMALimits *out_limits);

typedef struct AppleDextDMABuffer {
	mach_vm_address_t address; /* in this process */
	mach_vm_size_t size;
	uint64_t bus_address; /* for the device */
	uint64_t bus_length;  /* of the first segment */
	uint32_t segments;
	uint32_t flags; /* DEXT_DMA_DEVICE_READS, DEXT_DMA_DEVICE_WRITES */
} AppleDextDMABuffer;

/**
 * apple_dext_allocate_dma_buffer - memory of the driver's that the device can reach
 * @size: in bytes, not 0; rounded up to pages
 * @alignment: of the bus address, a power of two; 0 for 4096
 * @out_buffer: filled in, its memory mapped into this process
 *
 * One connection has one buffer.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen; kIOReturnBadArgument;
 * kIOReturnStillOpen when there is one; kIOReturnNoMemory; kIOReturnNotAligned.
 */
kern_return_t apple_dext_allocate_dma_buffer(
	io_connect_t connection, uint64_t size, uint64_t alignment, AppleDextDMABuffer *out_buffer);
/**
 * apple_dext_free_dma_buffer - unmap the buffer and free it
 * @buffer: as apple_dext_allocate_dma_buffer() filled it in; its address is set to 0
 *
 * Return: kIOReturnSuccess; kIOReturnNotFound when there is none; kIOReturnNotOpen.
 */
kern_return_t apple_dext_free_dma_buffer(io_connect_t connection, AppleDextDMABuffer *buffer);

/**
 * apple_dext_map_irq_state - map the IRQ state page (memory type 7)
 * @out_address: set to a struct dext_irq_state (dext-abi.h): take pending bits
 *	and set enabled ones there, atomically, without a call
 *
 * Return: kIOReturnSuccess; kIOReturnNotReady before apple_dext_setup_interrupts();
 * kIOReturnNoResources, kIOReturnNoMemory and kIOReturnVMError as apple_dext_map_bar();
 * kIOReturnIPCError when the driver's page is too small.
 */
kern_return_t apple_dext_map_irq_state(io_connect_t connection, mach_vm_address_t *out_address);
/** apple_dext_unmap_irq_state - undo apple_dext_map_irq_state(). */
kern_return_t apple_dext_unmap_irq_state(io_connect_t connection, mach_vm_address_t address);

typedef struct AppleDextStatus {
	uint32_t claims;  /* how many clients have claimed it */
	uint32_t clients; /* how many have it open */
	bool claimed_by_caller;
	bool claimed_exclusive;
	uint32_t interrupt_vectors; /* how many it has */
	uint32_t interrupt_kind;    /* enum dext_interrupt_kind (dext-abi.h) */
	uint32_t dma_regions;	    /* of all clients */
	uint64_t dma_bytes;
	uint64_t dma_faults; /* accesses of the device to what was not mapped */
	uint64_t resets;
} AppleDextStatus;

/**
 * apple_dext_get_status - what the driver knows of the device's use
 * @out_status: filled in
 *
 * Return: kIOReturnSuccess; kIOReturnUnsupported by a driver that has the fixed selectors alone.
 */
kern_return_t apple_dext_get_status(io_connect_t connection, AppleDextStatus *out_status);

typedef struct AppleDextRegionInfo {
	uint32_t client; /* number, as in AppleDextClientInfo */
	uint32_t segments;
	uint64_t iova, size;
	uint64_t bus_address, bus_length; /* of the first segment */
} AppleDextRegionInfo;

typedef struct AppleDextClientInfo {
	uint32_t client; /* number: nobody else's as long as the driver lives */
	int32_t pid;
	bool claimed, exclusive, takes_interrupts, is_caller;
	uint32_t regions;
	uint64_t bytes_wired, calls, interrupts;
} AppleDextClientInfo;

/**
 * apple_dext_copy_dma_regions - list the regions of all clients, by client and iova
 * apple_dext_copy_clients - list all clients of the device, by number
 * @out_regions, @out_clients: set to an array for free(), or NULL for none
 * @out_count: set to how many
 *
 * What comes and goes while the list is made may be in it or not.
 *
 * Return: kIOReturnSuccess; kIOReturnNoMemory; kIOReturnUnsupported; kIOReturnNotPrivileged
 * without a claim, unless the process is root's or of the user that the driver service runs as.
 */
kern_return_t apple_dext_copy_dma_regions(
	io_connect_t connection, AppleDextRegionInfo **out_regions, size_t *out_count);
kern_return_t apple_dext_copy_clients(
	io_connect_t connection, AppleDextClientInfo **out_clients, size_t *out_count);

/**
 * apple_dext_map_trace - map the trace of the driver's calls, and begin to trace
 * @out_address: set to a struct dext_trace (dext-abi.h), read-only
 *
 * Calls are traced as long as somebody has it mapped.
 *
 * Return: kIOReturnSuccess; kIOReturnNotPrivileged without a claim, unless the process is
 * root's or of the user that the driver service runs as; kIOReturnUnsupported;
 * kIOReturnNoMemory; kIOReturnIPCError when the driver's ring is too small.
 */
kern_return_t apple_dext_map_trace(io_connect_t connection, mach_vm_address_t *out_address);
/** apple_dext_unmap_trace - undo apple_dext_map_trace(). */
kern_return_t apple_dext_unmap_trace(io_connect_t connection, mach_vm_address_t address);

/**
 * apple_dext_trigger_interrupt - make a software device's vector fire
 * @vector: 0 to one less than the device has
 *
 * For tests and for looking what a guest does.
 *
 * Return: kIOReturnSuccess, also when nobody takes interrupts; kIOReturnBadArgument for a
 * vector that the device does not have; kIOReturnUnsupported for a physical device;
 * kIOReturnNotPrivileged without a claim, unless the process is root's or of the user that
 * the driver service runs as.
 */
kern_return_t apple_dext_trigger_interrupt(io_connect_t connection, uint32_t vector);

/**
 * apple_dext_remove_device - pull a software device out, as from a running machine
 *
 * Its config space reads as ones, other calls on it return kIOReturnOffline, and its
 * service leaves the registry.
 *
 * Return: kIOReturnSuccess; kIOReturnUnsupported for a physical device;
 * kIOReturnNotPrivileged without a claim, unless the process is root's or of the user that
 * the driver service runs as.
 */
kern_return_t apple_dext_remove_device(io_connect_t connection);

#ifdef __cplusplus
}
#endif
#endif
