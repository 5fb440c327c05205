/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client library of the PCI driver extension. Every function makes one or a few IOKit calls
 * on a connection. On a host without IOKit, iokit-user provides these calls.
 *
 * Threads: all functions are thread-safe. Do not disconnect a connection, or destroy a
 * notification, while another thread may still use it. The driver executes the calls on one
 * connection one at a time: a slow call (a reset) delays the others. Open a second connection
 * where that matters.
 *
 * Errors: a null connection, or a null pointer that is not documented as optional, is
 * kIOReturnBadArgument. Any call can return kIOReturnTimeout (the driver does not answer), and the
 * codes for a driver or a device that has gone: kIOReturnOffline, kIOReturnNotReady,
 * MIG_SERVER_DIED and MACH_SEND_INVALID_DEST (apple_dext_is_gone()). They are not repeated below.
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
 * apple_dext_connect - open a connection to the device at a PCI address
 * @bus: 0 to 255
 * @device: 0 to 31
 * @function: 0 to 7
 *
 * A connection without a claim can read the device's identity, config space and BAR
 * information. Everything else needs apple_dext_claim().
 *
 * Return: a connection, to be closed with apple_dext_disconnect(); IO_OBJECT_NULL when there is
 * no such device, when several PCI roots have a device at this address, or when the driver
 * refuses the connection. apple_dext_last_error() returns the reason.
 */
io_connect_t apple_dext_connect(uint8_t bus, uint8_t device, uint8_t function);

/**
 * apple_dext_disconnect - close a connection
 * @connection: may be IO_OBJECT_NULL
 *
 * The driver releases the connection's DMA regions, DMA buffer, interrupts and claim. BARs
 * that are mapped through it are unmapped. Destroy its notifications first.
 */
void apple_dext_disconnect(io_connect_t connection);

/**
 * apple_dext_claim - claim the device, shared with other clients
 *
 * The first claim opens the device, and enables memory space and bus mastering. When the last
 * claim ends, bus mastering is disabled, the device is reset and its config space restored.
 * A second claim on the same connection has no effect.
 *
 * Clients that share a device must trust each other: they access the same registers, and one of
 * them can program the device to access the memory of another. Memory of a BAR that a client
 * leaves mapped after its connection has ended still accesses the device as long as another
 * client has the BAR mapped. apple_dext_claim_exclusive() avoids both.
 *
 * Return: kIOReturnSuccess; kIOReturnExclusiveAccess when another client has an exclusive claim;
 * kIOReturnNotResponding when the device does not answer.
 */
kern_return_t apple_dext_claim(io_connect_t connection);

/* --- DMA -------------------------------------------------------------------- */

/**
 * apple_dext_register_dma - map memory of this process for DMA
 * @connection: a connection that has claimed the device
 * @iova: identifies the region; where the client chooses bus addresses
 *	(apple_dext_get_dma_limits()), also its bus address
 * @client_va: address of the memory in this process; not 0
 * @size: in bytes; not 0
 * @out_bus_addr: set to the bus address of the first segment; may be NULL
 * @out_bus_len: set to the length of the first segment in bytes; may be NULL. A region of more
 *	than 1.5 GiB has several segments: see apple_dext_register_dma_segments().
 *
 * The memory is wired until the region is unregistered or the connection ends, and must stay
 * mapped until then.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen without a claim;
 * kIOReturnBadArgument for a size or address of 0, or a range that wraps;
 * kIOReturnStillOpen when the connection has a region with this iova; kIOReturnNoSpace past
 * 65,536 regions, 128 segments, the driver's limits of address space, or the capacity of the
 * IOMMU; kIOReturnNotAligned when the IOMMU cannot map a segment at contiguous bus addresses;
 * kIOReturnBusy when these bus addresses overlap another region, of any client;
 * kIOReturnNoMemory; kIOReturnVMError when the range is not mapped in this process;
 * kIOReturnNotPermitted for private memory of a process that the driver may not access, and for
 * memory of a file whose pages may never arrive (FUSE, network file systems);
 * kIOReturnNoResources past the quota of wired memory, or when the driver is out of descriptors.
 */
kern_return_t apple_dext_register_dma(io_connect_t connection, uint64_t iova, uint64_t client_va,
	uint64_t size, uint64_t *out_bus_addr, uint64_t *out_bus_len);

/**
 * apple_dext_unregister_dma - unmap a DMA region
 * @iova: as given to apple_dext_register_dma()
 *
 * After kIOReturnSuccess the device cannot access the memory any more.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen without a claim; kIOReturnNotFound for an unknown
 * region; kIOReturnTimeout when the region was unmapped, but an access in progress has not ended
 * within a second, because the memory itself stalls it: it may still read or write the memory.
 */
kern_return_t apple_dext_unregister_dma(io_connect_t connection, uint64_t iova);

/**
 * apple_dext_probe_dma - read 8 bytes of a region through the driver
 * @iova: the region
 * @offset: in bytes from the beginning of the region
 * @out_word: set to the 8 bytes at @offset
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen without a claim; kIOReturnNotFound for an unknown
 * region; kIOReturnOverrun past its end; kIOReturnDMAError when the memory is not mapped any
 * more; kIOReturnTimeout when the read takes longer than a second; kIOReturnBusy while an
 * earlier probe of the connection that timed out is still in progress; kIOReturnNoResources
 * when too many such probes are in progress; kIOReturnNoMemory.
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
 * BAR registers read as their type bits: the host assigns the addresses.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for another width, or past the end of config
 * space; kIOReturnNotAligned.
 */
kern_return_t apple_dext_config_read(
	io_connect_t connection, uint64_t offset, uint64_t width, uint64_t *out_value);

/**
 * apple_dext_config_write - write config space
 * @offset: 0 to 4095, a multiple of @width
 * @width: 1, 2 or 4 bytes
 * @value: the value; bits beyond @width must be 0, else kIOReturnBadArgument
 *
 * Return: as apple_dext_config_read(), and kIOReturnNotOpen without a claim.
 */
kern_return_t apple_dext_config_write(
	io_connect_t connection, uint64_t offset, uint64_t width, uint64_t value);

/**
 * apple_dext_config_read_block - read a range of config space
 * @offset: 0 to 4095
 * @buf: the bytes are stored here
 * @len: number of bytes; @offset + @len is at most 4096
 *
 * One call. With a driver without ConfigReadBlock, it reads aligned 32-bit words, and single bytes
 * before and after them, with a call for each.
 *
 * Return: as apple_dext_config_read(); after an error the contents of @buf are undefined.
 */
kern_return_t apple_dext_config_read_block(
	io_connect_t connection, uint64_t offset, void *buf, size_t len);

/* --- BARs ------------------------------------------------------------------- */

/**
 * apple_dext_get_bar_info - get the size and type of a BAR
 * @bar: 0 to 5
 * @out_mem_idx: set to the memory index for apple_dext_mmio_read(); may be NULL
 * @out_size: set to the size in bytes; may be NULL
 * @out_type: set to the low bits of the BAR register; may be NULL
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for a @bar above 5; kIOReturnNotFound for
 * a BAR that the device does not implement, or the upper half of a 64-bit BAR.
 */
kern_return_t apple_dext_get_bar_info(io_connect_t connection, uint8_t bar, uint8_t *out_mem_idx,
	uint64_t *out_size, uint8_t *out_type);

/**
 * apple_dext_map_bar - map a BAR into this process
 * @bar: 0 to 5, a memory BAR
 * @out_addr: set to its address in this process
 * @out_size: set to its size in bytes
 * @out_type: set as by apple_dext_get_bar_info(); may be NULL
 *
 * Prefetchable BARs are mapped write-combined. Use aligned loads and stores of the widths that
 * the device supports.
 *
 * Return: as apple_dext_get_bar_info(); kIOReturnNotOpen without a claim; kIOReturnNotReady
 * when the BAR cannot be mapped (an I/O BAR, a software device without memory behind it, a
 * physical device to which this user has no access), in which case apple_dext_mmio_read() and
 * apple_dext_mmio_write() can access it; kIOReturnNoResources or kIOReturnNoMemory when the
 * service is out of descriptors or memory; kIOReturnVMError when this process cannot map what the
 * driver offers. IOKit itself gives no reason: these are the driver's, from
 * apple_dext_get_memory_status(). With a driver without that selector every failure to map is
 * kIOReturnBadArgument.
 */
kern_return_t apple_dext_map_bar(io_connect_t connection, uint8_t bar, mach_vm_address_t *out_addr,
	mach_vm_size_t *out_size, uint8_t *out_type);

/**
 * apple_dext_unmap_bar - undo apple_dext_map_bar()
 *
 * IOKit asks the driver for the BAR again in order to unmap it. With a driver or a device that has
 * gone the BAR stays mapped until apple_dext_disconnect().
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for any other address than that of a mapping.
 */
kern_return_t apple_dext_unmap_bar(io_connect_t connection, uint8_t bar, mach_vm_address_t addr);

/**
 * apple_dext_mmio_read - read a register of a BAR through the driver
 * @mem_idx: the memory index from apple_dext_get_bar_info(), not the number of the BAR
 * @offset: in bytes, a multiple of @width
 * @width: 1, 2, 4 or 8 bytes
 * @out_value: set to the value
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen without a claim; kIOReturnBadArgument for another
 * width or an offset past the end; kIOReturnNotAligned; kIOReturnNotFound for an unknown index.
 */
kern_return_t apple_dext_mmio_read(io_connect_t connection, uint8_t mem_idx, uint64_t offset,
	uint64_t width, uint64_t *out_value);

/**
 * apple_dext_mmio_write - write a register of a BAR through the driver
 *
 * Parameters and return as apple_dext_mmio_read().
 */
kern_return_t apple_dext_mmio_write(
	io_connect_t connection, uint8_t mem_idx, uint64_t offset, uint64_t width, uint64_t value);

/* --- Interrupts ------------------------------------------------------------- */

/**
 * apple_dext_setup_interrupts - enable the device's interrupts for this connection
 * @out_num_vectors: set to the number of vectors, 1 to 256; may be NULL
 *
 * Initially all vectors are enabled in the mask, and none is pending.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen without a claim; kIOReturnStillOpen when the
 * connection has interrupts already; kIOReturnUnsupported when the device has none.
 */
kern_return_t apple_dext_setup_interrupts(io_connect_t connection, uint32_t *out_num_vectors);

/**
 * apple_dext_set_irq_mask - select the vectors that are delivered to this connection
 * @mask: bit n of word n/64 enables vector n
 *
 * An interrupt whose bit is clear is dropped; it does not become pending.
 *
 * Return: kIOReturnSuccess; kIOReturnNotReady before apple_dext_setup_interrupts().
 */
kern_return_t apple_dext_set_irq_mask(io_connect_t connection, const uint64_t mask[4]);

/**
 * apple_dext_read_pending_irqs - read and clear the pending vectors
 * @pending: set to the 256 pending bits; bit n of word n/64 is vector n. Each word is read and
 *	cleared by one atomic operation.
 *
 * Return: kIOReturnSuccess; kIOReturnNotReady before apple_dext_setup_interrupts().
 */
kern_return_t apple_dext_read_pending_irqs(io_connect_t connection, uint64_t pending[4]);

/**
 * apple_dext_interrupt_notify_create - call a handler when interrupts are pending
 * @connection: after apple_dext_setup_interrupts()
 * @handler_fn: called once each time the notification is armed, on a serial queue of the
 *	notification. It reads the pending bits, then calls apple_dext_interrupt_notify_rearm().
 * @opaque: argument of @handler_fn
 *
 * The notification is armed when it is created. If a vector is pending, the handler may run
 * before this function has returned. A handler that uses the notification should be created
 * with apple_dext_interrupt_notify_create_into(), which stores the pointer first.
 *
 * Return: the notification, for apple_dext_interrupt_notify_destroy(); NULL for a null
 * connection or handler, before apple_dext_setup_interrupts(), or when memory is out.
 */
AppleDextInterruptNotify *apple_dext_interrupt_notify_create(
	io_connect_t connection, void (*handler_fn)(void *opaque), void *opaque);

/**
 * apple_dext_interrupt_notify_rearm - arm a notification after its handler has run
 *
 * A connection has at most one armed notification: arming one disarms the other. With a driver of
 * this project this is a store to the IRQ state page and not a call, except for INTx; it does not
 * show then that the driver's process has exited.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for NULL; kIOReturnAborted when the
 * notification is being destroyed; kIOReturnOffline when the device was removed.
 */
kern_return_t apple_dext_interrupt_notify_rearm(AppleDextInterruptNotify *notify);

/**
 * apple_dext_interrupt_notify_destroy - destroy a notification
 * @notify: may be NULL
 *
 * Waits for the handler if it is running; it does not run again after this function has
 * returned. The handler itself may call this: the notification is freed when it returns.
 */
void apple_dext_interrupt_notify_destroy(AppleDextInterruptNotify *notify);

/* --- Reset ------------------------------------------------------------------ */

/**
 * apple_dext_reset_device - reset the device
 *
 * By a function level reset where the device supports it, else a hot reset, else a power cycle.
 * Interrupts stay set up, config space is restored, and DMA regions stay mapped.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen without a claim; kIOReturnUnsupported when the
 * device supports no kind of reset; kIOReturnTimeout when it does not become ready again.
 */
kern_return_t apple_dext_reset_device(io_connect_t connection);

/* === Extensions ============================================================= */
/*
 * The functions below are specific to this project; most of them use extension selectors
 * (dext-abi.h). With a driver that does not implement the selector a function returns
 * kIOReturnUnsupported, or falls back to other selectors where its comment says so.
 */

/**
 * apple_dext_connect_with_root - open a connection to the device at an address under a PCI root
 * @root: the name of the root, as returned by apple_dext_copy_bound_devices(); NULL for any
 *	root, "" for devices without a named root
 * @bus: 0 to 255
 * @device: 0 to 31
 * @function: 0 to 7
 *
 * apple_dext_connect() fails when several roots have a device at the address; its error lists
 * them.
 *
 * Return: as apple_dext_connect().
 */
io_connect_t apple_dext_connect_with_root(
	const char *root, uint8_t bus, uint8_t device, uint8_t function);

/**
 * apple_dext_last_error - get the reason for the last failure to connect or to list devices
 *
 * For apple_dext_connect(), apple_dext_connect_with_root() and apple_dext_copy_bound_devices(),
 * the last call in this thread. If the driver service could not be connected to, the message
 * contains the path of its socket and the system's error.
 *
 * Return: one line without a newline, valid until the thread calls one of these functions again;
 * "" after a success.
 */
const char *apple_dext_last_error(void);

/**
 * apple_dext_is_gone - whether a status says that the driver, or its device, has gone
 * @status: of a call whose preconditions were met: some functions also return kIOReturnNotReady
 *	before apple_dext_setup_interrupts(), or for memory that cannot be mapped
 *
 * The connection is of no more use: disconnect it. If the driver was started again, or the device
 * is back, apple_dext_connect() finds it. IOKit does not tell a device that was removed from a
 * driver that has exited. With a driver of this project, config space of a removed device still
 * reads, as all ones.
 *
 * Return: true for kIOReturnOffline, kIOReturnNotReady, MIG_SERVER_DIED and
 * MACH_SEND_INVALID_DEST.
 */
bool apple_dext_is_gone(kern_return_t status);

typedef struct AppleDextIdentity {
	uint8_t bus, device, function;
	uint16_t vendor_id, device_id;
	uint32_t class_code; /* 24 bits: base class, subclass, programming interface */
} AppleDextIdentity;

/** apple_dext_get_identity - get the address, IDs and class of the device. */
kern_return_t apple_dext_get_identity(io_connect_t connection, AppleDextIdentity *out_identity);

typedef struct AppleDextDevice {
	AppleDextIdentity identity;
	uint64_t registry_entry_id; /* of its service */
	char root[16];		    /* its PCI root's name; "" when it has none */
} AppleDextDevice;

/**
 * apple_dext_copy_bound_devices - list the devices that are bound to driver extensions
 * @out_devices: set to an array, sorted by root and address, for
 *	apple_dext_free_bound_devices(); NULL for an empty list
 * @out_count: set to the number of devices
 *
 * Return: kIOReturnSuccess, also for an empty list and without a driver service;
 * kIOReturnNoMemory; kIOReturnNotPermitted when the user of this process may not connect to the
 * service; kIOReturnNoResources when the process has too many connections or open descriptors;
 * kIOReturnBadArgument when the path of the socket is too long; kIOReturnUnsupported when the
 * service has another version; kIOReturnTimeout when it does not answer.
 * apple_dext_last_error() returns the reason.
 */
kern_return_t apple_dext_copy_bound_devices(AppleDextDevice **out_devices, size_t *out_count);
/** apple_dext_free_bound_devices - free the array of apple_dext_copy_bound_devices(); may be NULL. */
void apple_dext_free_bound_devices(AppleDextDevice *devices);

/**
 * apple_dext_claim_exclusive - claim the device for this connection only
 *
 * No other connection can claim the device until this one ends. Memory of BARs that earlier
 * clients have left mapped does not access the device: so a connection with a shared claim must
 * unmap its BARs before it makes the claim exclusive. With a driver without this selector the
 * claim is a shared one.
 *
 * Return: as apple_dext_claim(), and kIOReturnExclusiveAccess when another connection has any
 * claim; kIOReturnBusy when this connection has a shared claim and BARs mapped.
 */
kern_return_t apple_dext_claim_exclusive(io_connect_t connection);

/**
 * apple_dext_interrupt_notify_create_into - create a notification and store it before it is armed
 * @connection, @handler_fn, @opaque: as apple_dext_interrupt_notify_create()
 * @out_notify: set to the notification before the handler can run; set to NULL on failure
 *
 * The handler may use and destroy *@out_notify before this function has returned.
 *
 * Return: kIOReturnSuccess; kIOReturnNotReady before apple_dext_setup_interrupts();
 * kIOReturnNoMemory; kIOReturnNoResources when this process or the driver is out of descriptors.
 */
kern_return_t apple_dext_interrupt_notify_create_into(io_connect_t connection,
	void (*handler_fn)(void *opaque), void *opaque, AppleDextInterruptNotify **out_notify);

/**
 * apple_dext_interrupt_notify_set_status_handler - be told of what is not an interrupt
 * @notify: the notification
 * @status_fn: called with the opaque argument of the notification and a status, on the queue of its
 *	handler, never at the same time as that; NULL for none. It may destroy the notification.
 *
 * kIOReturnOffline: the device was removed, or its driver was terminated. The call is the last one,
 * and no interrupt comes after it. If that has happened before the handler is set, it is called now.
 * kIOReturnDeviceError: the device has reported an error, and may have to be reset. Interrupts go
 * on. Other statuses end the notification as kIOReturnOffline does.
 *
 * A driver whose process has exited reports nothing: only calls show that it is not there any more.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for a NULL @notify; kIOReturnAborted when the
 * notification is being destroyed.
 */
kern_return_t apple_dext_interrupt_notify_set_status_handler(
	AppleDextInterruptNotify *notify, void (*status_fn)(void *opaque, kern_return_t status));

/**
 * apple_dext_terminate - terminate the driver extension's service and release the device
 *
 * The service is removed from the registry. All further calls on any connection to it return
 * kIOReturnOffline.
 *
 * Return: kIOReturnSuccess; kIOReturnNotPrivileged without a claim, unless the process runs as
 * root or as the user of the driver service.
 */
kern_return_t apple_dext_terminate(io_connect_t connection);

/**
 * apple_dext_get_memory_status - whether memory of the driver can be mapped, and why not
 * @memory_type: enum dext_memory_type (dext-abi.h): DEXT_MEMORY_BAR0 + n for BAR n
 * @out_status: set to what the driver answers when the memory is mapped: kIOReturnSuccess;
 *	kIOReturnNotReady when there is no memory of that type; kIOReturnNotOpen without a claim;
 *	kIOReturnUnsupported for an unknown type; kIOReturnNoMemory or kIOReturnNoResources
 *
 * Return: kIOReturnSuccess when the driver has answered; kIOReturnUnsupported when it lacks the
 * selector: then only mapping the memory shows whether it can be mapped.
 */
kern_return_t apple_dext_get_memory_status(
	io_connect_t connection, uint32_t memory_type, kern_return_t *out_status);

/**
 * apple_dext_copy_bar_descriptor - get a descriptor of a BAR that another process can map
 * @bar: 0 to 5
 * @out_fd: set to a new descriptor, which the caller closes
 * @out_offset: set to the offset of the BAR in the file, in bytes
 * @out_size: set to its size in bytes
 *
 * A process that maps the descriptor with MAP_SHARED accesses the registers of the device, as
 * with apple_dext_map_bar(), until apple_dext_return_bar_descriptor() is called or the
 * connection ends; closing the descriptor is not enough. After that the mapping stays in place.
 * If the device is a software device and no other client has the BAR mapped, it is then memory
 * without a device (apple_dext_claim() describes the case of several clients).
 *
 * Return: as apple_dext_map_bar(); kIOReturnUnsupported on a host whose IOKit has no descriptors
 * for memory.
 */
kern_return_t apple_dext_copy_bar_descriptor(io_connect_t connection, uint8_t bar, int *out_fd,
	uint64_t *out_offset, uint64_t *out_size);

/**
 * apple_dext_return_bar_descriptor - end one use of apple_dext_copy_bar_descriptor()
 * @bar: 0 to 5; call it once for each copy
 *
 * The driver processes it before the connection's next call.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument when no copy is outstanding;
 * kIOReturnUnsupported as apple_dext_copy_bar_descriptor().
 */
kern_return_t apple_dext_return_bar_descriptor(io_connect_t connection, uint8_t bar);

typedef struct AppleDextSegment {
	uint64_t bus_address, length;
} AppleDextSegment;

/**
 * apple_dext_register_dma_segments - map memory for DMA and get all segments of the region
 * @iova, @client_va, @size: as apple_dext_register_dma()
 * @segments: the segments are stored here, in order; their lengths add up to @size
 * @count: in: the number of elements of @segments; out: the number of segments
 *
 * With a driver without GetDMASegments, memory of more than 1.5 GiB is registered as several
 * regions, one every 1.5 GiB beginning at @iova.
 *
 * Return: as apple_dext_register_dma(); kIOReturnOverrun when @segments is too small: *@count is
 * then the number needed, and no region is registered.
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
	kern_return_t status; /* as returned by apple_dext_register_dma() */
	uint32_t segments;
	uint64_t bus_address, bus_length; /* of the first segment */
} AppleDextDMAResult;

/**
 * apple_dext_register_dma_batch - map several regions for DMA with few calls
 * @requests: @count regions, processed in order
 * @count: number of elements of @requests and @results
 * @results: set to the result of each request; a failed request does not stop the others
 *
 * With a driver without batches the regions are registered one by one.
 *
 * Return: kIOReturnSuccess when all requests have been processed, whatever their results; else
 * an error, which is also the status of all requests that have not been processed.
 */
kern_return_t apple_dext_register_dma_batch(io_connect_t connection,
	const AppleDextDMARequest *requests, size_t count, AppleDextDMAResult *results);

/**
 * apple_dext_unregister_dma_batch - unmap several DMA regions with few calls
 * @iovas: the iovas of @count regions
 * @count: number of elements of @iovas and @statuses
 * @statuses: set to the status of each; may be NULL
 *
 * Return: as apple_dext_register_dma_batch().
 */
kern_return_t apple_dext_unregister_dma_batch(
	io_connect_t connection, const uint64_t *iovas, size_t count, kern_return_t *statuses);

/**
 * apple_dext_register_dma_fd - map memory for DMA that is given by a descriptor of its file
 * @iova: as apple_dext_register_dma()
 * @fd: of a memfd, or of a file on tmpfs, hugetlbfs or a local disk; open for reading, and for
 *	writing if the device writes. The caller keeps it, and may close it afterwards.
 * @offset: where the memory begins in the file, in bytes
 * @client_va: address of a shared mapping of the same memory in this process, or 0 if it is not
 *	mapped. Used where the driver or the host's IOKit takes no descriptors: then the region is
 *	registered by this address, with the access that the mapping allows.
 * @size: in bytes; not 0
 * @flags: DEXT_DMA_DEVICE_READS, DEXT_DMA_DEVICE_WRITES (dext-abi.h) or both. Without
 *	DEXT_DMA_DEVICE_WRITES the driver maps the memory read-only; the device may always read.
 * @out_bus_addr, @out_bus_len: as apple_dext_register_dma()
 *
 * One call to the driver, which does not ask for the memory behind an address. The memory need
 * not be mapped in this process. apple_dext_unregister_dma() ends the registration.
 *
 * Return: as apple_dext_register_dma(), except that the file takes the place of the mapping:
 * kIOReturnBadArgument also for unknown @flags or none, for another kind of descriptor, and for
 * memory beyond the end of the file; kIOReturnNotPermitted for a descriptor that is not open for
 * writing where the device writes, and for a file whose pages may never arrive (FUSE, network file
 * systems); kIOReturnVMError when the driver cannot map it, which seals can forbid;
 * kIOReturnUnsupported where descriptors are not supported and @client_va is 0.
 */
kern_return_t apple_dext_register_dma_fd(io_connect_t connection, uint64_t iova, int fd,
	uint64_t offset, uint64_t client_va, uint64_t size, uint32_t flags, uint64_t *out_bus_addr,
	uint64_t *out_bus_len);

typedef struct AppleDextDMAFile {
	uint64_t iova, client_va, size, offset;
	int fd;
	uint32_t flags;
} AppleDextDMAFile;

/**
 * apple_dext_register_dma_fd_batch - map several regions for DMA by descriptors with few calls
 * @files: @count regions, processed in order; the members are the arguments of
 *	apple_dext_register_dma_fd()
 * @count: number of elements of @files and @results
 * @results: set to the result of each region; a failed one does not stop the others
 *
 * Return: as apple_dext_register_dma_batch().
 */
kern_return_t apple_dext_register_dma_fd_batch(io_connect_t connection,
	const AppleDextDMAFile *files, size_t count, AppleDextDMAResult *results);

typedef struct AppleDextDMALimits {
	uint32_t kind;	      /* enum dext_iommu_kind (dext-abi.h) */
	uint64_t bytes, maps; /* capacity: bytes and mappings; UINT64_MAX: no limit */
	uint64_t bytes_used, maps_used;
} AppleDextDMALimits;

/**
 * apple_dext_get_dma_limits - get the kind, capacity and use of the device's IOMMU
 * @out_limits: filled in
 *
 * Return: kIOReturnSuccess; kIOReturnUnsupported.
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
 * apple_dext_allocate_dma_buffer - allocate memory in the driver, mapped for DMA and into this process
 * @size: in bytes, not 0; rounded up to pages
 * @alignment: of the bus address, a power of two; 0 for 4096
 * @out_buffer: set to the buffer's addresses
 *
 * A connection has at most one buffer.
 *
 * Return: kIOReturnSuccess; kIOReturnNotOpen without a claim; kIOReturnBadArgument;
 * kIOReturnStillOpen when the connection has a buffer; kIOReturnNoMemory; kIOReturnNotAligned.
 */
kern_return_t apple_dext_allocate_dma_buffer(
	io_connect_t connection, uint64_t size, uint64_t alignment, AppleDextDMABuffer *out_buffer);
/**
 * apple_dext_free_dma_buffer - unmap the buffer and free it
 * @buffer: as apple_dext_allocate_dma_buffer() filled it in; its address is set to 0
 *
 * Return: kIOReturnSuccess; kIOReturnNotFound when the connection has no buffer;
 * kIOReturnNotOpen without a claim.
 */
kern_return_t apple_dext_free_dma_buffer(io_connect_t connection, AppleDextDMABuffer *buffer);

/**
 * apple_dext_map_irq_state - map the IRQ state page (memory type 7)
 * @out_address: set to the address of a struct dext_irq_state (dext-abi.h), in which pending
 *	bits are read and cleared, and the mask is set, by atomic operations without a call
 *
 * Return: kIOReturnSuccess; kIOReturnNotReady before apple_dext_setup_interrupts();
 * kIOReturnNoResources, kIOReturnNoMemory, kIOReturnVMError and kIOReturnBadArgument as
 * apple_dext_map_bar(); kIOReturnIPCError when the driver's page is too small.
 */
kern_return_t apple_dext_map_irq_state(io_connect_t connection, mach_vm_address_t *out_address);
/** apple_dext_unmap_irq_state - undo apple_dext_map_irq_state(). */
kern_return_t apple_dext_unmap_irq_state(io_connect_t connection, mach_vm_address_t address);

typedef struct AppleDextStatus {
	uint32_t claims;  /* connections with a claim */
	uint32_t clients; /* connections */
	bool claimed_by_caller;
	bool claimed_exclusive;
	/*
	 * A software device: a mapped BAR is memory, which the device polls as long as a client
	 * has it mapped; a call reaches it at once.
	 */
	bool polls_bars;
	uint32_t interrupt_vectors; /* number of them */
	uint32_t interrupt_kind;    /* enum dext_interrupt_kind (dext-abi.h) */
	uint32_t dma_regions;	    /* of all clients */
	uint64_t dma_bytes;
	/*
	 * Accesses of the device to addresses that were not mapped; UINT64_MAX: not known, since
	 * the host reports them in its kernel's log alone (Linux VFIO).
	 */
	uint64_t dma_faults;
	uint64_t resets;
} AppleDextStatus;

/**
 * apple_dext_get_status - get counters of the device's use by all clients
 * @out_status: filled in
 *
 * Return: kIOReturnSuccess; kIOReturnUnsupported.
 */
kern_return_t apple_dext_get_status(io_connect_t connection, AppleDextStatus *out_status);

typedef struct AppleDextRegionInfo {
	uint32_t client; /* as in AppleDextClientInfo */
	uint32_t segments;
	uint64_t iova, size;
	uint64_t bus_address, bus_length; /* of the first segment */
} AppleDextRegionInfo;

typedef struct AppleDextClientInfo {
	uint32_t client; /* a number, unique while the driver runs */
	int32_t pid;
	bool claimed, exclusive, takes_interrupts, is_caller;
	uint32_t regions;
	uint64_t bytes_wired, calls, interrupts;
} AppleDextClientInfo;

/**
 * apple_dext_copy_dma_regions - list the regions of all clients, by client and iova
 * apple_dext_copy_clients - list all clients of the device, by number
 * @out_regions, @out_clients: set to an array for free(), or NULL for an empty list
 * @out_count: set to the number of elements
 *
 * Regions and clients that are added or removed meanwhile may be in the list or not.
 *
 * Return: kIOReturnSuccess; kIOReturnNoMemory; kIOReturnUnsupported; kIOReturnNotPrivileged
 * without a claim, unless the process runs as root or as the user of the driver service.
 */
kern_return_t apple_dext_copy_dma_regions(
	io_connect_t connection, AppleDextRegionInfo **out_regions, size_t *out_count);
kern_return_t apple_dext_copy_clients(
	io_connect_t connection, AppleDextClientInfo **out_clients, size_t *out_count);

/**
 * apple_dext_map_trace - map the trace of the driver's calls
 * @out_address: set to the address of a struct dext_trace (dext-abi.h), which is read-only
 *
 * Calls are traced while at least one client has the trace mapped.
 *
 * Return: kIOReturnSuccess; kIOReturnNotPrivileged without a claim, unless the process runs as
 * root or as the user of the driver service; kIOReturnUnsupported;
 * kIOReturnNoMemory; kIOReturnIPCError when the driver's ring is too small.
 */
kern_return_t apple_dext_map_trace(io_connect_t connection, mach_vm_address_t *out_address);
/** apple_dext_unmap_trace - undo apple_dext_map_trace(). */
kern_return_t apple_dext_unmap_trace(io_connect_t connection, mach_vm_address_t address);

/**
 * apple_dext_trigger_interrupt - trigger an interrupt of a software device
 * @vector: 0 to one less than the number of vectors
 *
 * For tests and debugging.
 *
 * Return: kIOReturnSuccess, also when no client has set interrupts up; kIOReturnBadArgument for
 * a vector that the device does not have; kIOReturnUnsupported for a physical device;
 * kIOReturnNotPrivileged without a claim, unless the process runs as root or as the user of the
 * driver service.
 */
kern_return_t apple_dext_trigger_interrupt(io_connect_t connection, uint32_t vector);

/**
 * apple_dext_remove_device - remove a software device, as by a surprise removal
 *
 * Its config space reads as all ones, other calls return kIOReturnOffline, and its service is
 * removed from the registry.
 *
 * Return: kIOReturnSuccess; kIOReturnUnsupported for a physical device;
 * kIOReturnNotPrivileged without a claim, unless the process runs as root or as the user of the
 * driver service.
 */
kern_return_t apple_dext_remove_device(io_connect_t connection);

/**
 * apple_dext_set_interrupt_eventfds - signal eventfds when vectors fire
 * @connection: after apple_dext_setup_interrupts()
 * @first: the first vector
 * @count: the number of vectors, at least 1; @first + @count is at most the number of vectors
 * @eventfds: an eventfd(2) for each vector, which the caller keeps and may close when the call has
 *	returned; NULL: the vectors have none any more
 *
 * When a vector with an eventfd fires, the eventfd is signalled in place of the vector's pending
 * bit and of the notification, by the device's thread in the driver, or for a physical device by
 * the kernel: no other process is woken. A counter that is full stays so. The vector's bit in the
 * mask applies, but a bit that is changed in the mapped IRQ state page takes effect with the next
 * call of apple_dext_set_irq_mask(). A reset leaves eventfds as they are.
 *
 * After the call has returned, or the connection has ended, the previous eventfds are not signalled
 * any more. An interrupt during the call signals the previous or the new eventfd, or becomes
 * pending. After an error none of the vectors has an eventfd, except when the call did not reach
 * the driver.
 *
 * Return: kIOReturnSuccess; kIOReturnUnsupported by a driver that lacks the selector, on a host
 * whose IOKit passes no descriptors, and for a device with INTx alone: use a notification;
 * kIOReturnBadArgument for vectors that the device does not have, and for a descriptor that is not
 * an eventfd; kIOReturnNotReady before apple_dext_setup_interrupts(); kIOReturnNoResources when the
 * driver is out of descriptors, when all clients together have more than 256 eventfds there, or
 * when the system's limit of asynchronous I/O (fs.aio-max-nr) is reached.
 */
kern_return_t apple_dext_set_interrupt_eventfds(
	io_connect_t connection, uint32_t first, uint32_t count, const int *eventfds);

#ifdef __cplusplus
}
#endif
#endif
