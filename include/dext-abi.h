/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ABI between a client and the driver extension: selectors, memory types
 * and layouts. The driver dispatches from this table, the client library and the
 * tests use its names; no other file contains a selector's number.
 */
#ifndef DEXT_ABI_H
#define DEXT_ABI_H

#include <stdint.h>

/* The registry class of the driver extension (property IOUserClass of its IOUserService). */
#define DEXT_USER_CLASS "VFIOUserPCIDriver"
/* The only type of user client, for IOServiceOpen(). */
#define DEXT_USER_CLIENT_TYPE 0

/*
 * The precondition of a selector, or of mapping a type of memory.
 *
 * Whatever shows or changes the state of other clients needs DEXT_NEEDS_CLAIM_OR_OWNER: a claim
 * of the device, which another client's exclusive claim excludes; or the user that the driver
 * service runs as, or root, who can inspect and end the service anyway.
 * Identity, config space, BAR information, and sums over all clients (GetStatus,
 * GetDMALimits) need nothing: a client needs them to decide whether to claim the device.
 */
enum dext_need {
	DEXT_NEEDS_NOTHING,
	DEXT_NEEDS_CLAIM,      /* else kIOReturnNotOpen */
	DEXT_NEEDS_INTERRUPTS, /* SetupInterrupts succeeded on this connection, else kIOReturnNotReady */
	DEXT_NEEDS_CLAIM_OR_OWNER, /* a claim, or the service's own user or root, else kIOReturnNotPrivileged */
};

/*
 * X(number, name, scalars in, scalars out, needs)
 *
 * The first eighteen are fixed: existing programs use them. Only the precondition of Terminate is
 * stricter than in existing drivers, whose clients are all of the service's own user or root.
 */
#define DEXT_SELECTORS(X)                                                                          \
	X(0, GetIdentity, 0, 6, DEXT_NEEDS_NOTHING)                                                \
	X(1, Claim, 0, 0, DEXT_NEEDS_NOTHING)                                                      \
	X(2, Terminate, 0, 0, DEXT_NEEDS_CLAIM_OR_OWNER)                                           \
	X(3, AllocateDMABuffer, 2, 6, DEXT_NEEDS_CLAIM)                                            \
	X(4, FreeDMABuffer, 0, 0, DEXT_NEEDS_NOTHING)                                              \
	X(5, RegisterDMARegion, 3, 3, DEXT_NEEDS_CLAIM)                                            \
	X(6, UnregisterDMARegion, 1, 0, DEXT_NEEDS_CLAIM)                                          \
	X(7, ProbeDMARegion, 2, 1, DEXT_NEEDS_CLAIM)                                               \
	X(8, ConfigRead, 2, 1, DEXT_NEEDS_NOTHING)                                                 \
	X(9, ConfigWrite, 3, 0, DEXT_NEEDS_CLAIM)                                                  \
	X(10, GetBARInfo, 1, 3, DEXT_NEEDS_NOTHING)                                                \
	X(11, MMIORead, 3, 1, DEXT_NEEDS_CLAIM)                                                    \
	X(12, MMIOWrite, 4, 0, DEXT_NEEDS_CLAIM)                                                   \
	X(13, SetupInterrupts, 0, 1, DEXT_NEEDS_CLAIM)                                             \
	X(14, CheckInterrupt, 0, 4, DEXT_NEEDS_INTERRUPTS)                                         \
	X(15, WaitInterrupt, 0, 0, DEXT_NEEDS_INTERRUPTS)                                          \
	X(16, SetIRQMask, 4, 0, DEXT_NEEDS_INTERRUPTS)                                             \
	X(17, ResetDevice, 0, 0, DEXT_NEEDS_CLAIM)

/*
 * Extension selectors of this project. A driver that does not implement one returns
 * kIOReturnUnsupported; the client library then falls back to the fixed ones where it can.
 */
#define DEXT_EXTENSION_SELECTORS(X)                                                                \
	X(0x1000, ClaimExclusive, 0, 0, DEXT_NEEDS_NOTHING)                                        \
	X(0x1001, GetStatus, 0, 9, DEXT_NEEDS_NOTHING)                                             \
	X(0x1002, GetDMASegments, 2, 2, DEXT_NEEDS_CLAIM)                                          \
	X(0x1003, RegisterDMABatch, 0, 0, DEXT_NEEDS_CLAIM)                                        \
	X(0x1004, UnregisterDMABatch, 0, 0, DEXT_NEEDS_CLAIM)                                      \
	X(0x1005, GetDMALimits, 0, 5, DEXT_NEEDS_NOTHING)                                          \
	X(0x1006, GetDMARegions, 1, 1, DEXT_NEEDS_CLAIM_OR_OWNER)                                  \
	X(0x1007, GetClients, 1, 1, DEXT_NEEDS_CLAIM_OR_OWNER)                                     \
	X(0x1008, TriggerInterrupt, 1, 0, DEXT_NEEDS_CLAIM_OR_OWNER)                               \
	X(0x1009, RemoveDevice, 0, 0, DEXT_NEEDS_CLAIM_OR_OWNER)                                   \
	X(0x100a, GetMemoryStatus, 1, 1, DEXT_NEEDS_NOTHING)                                       \
	X(0x100b, RegisterDMAFile, 4, 3, DEXT_NEEDS_CLAIM)                                         \
	X(0x100c, RegisterDMAFileBatch, 0, 0, DEXT_NEEDS_CLAIM)                                    \
	X(0x100d, ConfigReadBlock, 2, 0, DEXT_NEEDS_NOTHING)                                       \
	X(0x100e, SetInterruptEventfds, 2, 0, DEXT_NEEDS_INTERRUPTS)                               \
	X(0x100f, ArmInterrupts, 0, 0, DEXT_NEEDS_INTERRUPTS)

enum dext_selector {
#define DEXT_SELECTOR_ENUM(number, name, in, out, needs) DEXT_SELECTOR_##name = (number),
	DEXT_SELECTORS(DEXT_SELECTOR_ENUM) DEXT_EXTENSION_SELECTORS(DEXT_SELECTOR_ENUM)
#undef DEXT_SELECTOR_ENUM
};

/* The numbers of input and output scalars: DEXT_IN_ConfigRead, DEXT_OUT_ConfigRead, ... */
enum {
#define DEXT_SELECTOR_COUNTS(number, name, in, out, needs)                                         \
	DEXT_IN_##name = (in), DEXT_OUT_##name = (out),
	DEXT_SELECTORS(DEXT_SELECTOR_COUNTS) DEXT_EXTENSION_SELECTORS(DEXT_SELECTOR_COUNTS)
#undef DEXT_SELECTOR_COUNTS
};

/* Where the values of calls with several scalars stand. */
enum {
	DEXT_IDENTITY_BUS,
	DEXT_IDENTITY_DEVICE,
	DEXT_IDENTITY_FUNCTION,
	DEXT_IDENTITY_VENDOR_ID,
	DEXT_IDENTITY_DEVICE_ID,
	DEXT_IDENTITY_CLASS_CODE
};
enum {
	DEXT_BUFFER_SIZE,
	DEXT_BUFFER_FLAGS,
	DEXT_BUFFER_SEGMENTS,
	DEXT_BUFFER_ADDRESS,
	DEXT_BUFFER_LENGTH,
	DEXT_BUFFER_CLASS_CODE
};
enum { DEXT_REGION_IOVA, DEXT_REGION_VA, DEXT_REGION_SIZE };
enum { DEXT_FILE_IOVA, DEXT_FILE_OFFSET, DEXT_FILE_SIZE, DEXT_FILE_FLAGS };
enum { DEXT_REGION_SEGMENTS, DEXT_REGION_BUS_ADDRESS, DEXT_REGION_BUS_LENGTH };
enum { DEXT_EVENTFDS_FIRST, DEXT_EVENTFDS_COUNT };
enum { DEXT_BAR_MEMORY_INDEX, DEXT_BAR_SIZE, DEXT_BAR_TYPE };
enum {
	DEXT_STATUS_CLAIMS,
	DEXT_STATUS_FLAGS,
	DEXT_STATUS_VECTORS,
	DEXT_STATUS_INTERRUPT_KIND,
	DEXT_STATUS_CLIENTS,
	DEXT_STATUS_REGIONS,
	DEXT_STATUS_BYTES_WIRED,
	DEXT_STATUS_DMA_FAULTS,
	DEXT_STATUS_RESETS
};

enum {
	DEXT_LIMITS_KIND,
	DEXT_LIMITS_BYTES,
	DEXT_LIMITS_MAPS,
	DEXT_LIMITS_BYTES_USED,
	DEXT_LIMITS_MAPS_USED
};

/* Values of DEXT_LIMITS_KIND: who chooses bus addresses. */
enum dext_iommu_kind {
	DEXT_IOMMU_IDENTITY, /* the client: the bus address is the iova */
	DEXT_IOMMU_DART,     /* the IOMMU */
};

/*
 * Structures of the extension selectors. GetDMASegments takes the iova and the index of the
 * first segment, and returns the total number of segments and the number of dext_segment that
 * follow: a driver in user space that has memory behind an IOMMU which chooses bus addresses needs
 * all of them, or to be sure that there is only one. GetMemoryStatus takes a memory type and
 * returns, as an IOReturn, why it cannot be mapped.
 * GetDMARegions and GetClients take the index of the first entry, and return the total
 * number and as many entries as fit. The batches take an array of requests and return an array
 * of results in the same order.
 *
 * RegisterDMAFile and RegisterDMAFileBatch register memory by the descriptor of its file, which
 * comes with the call: one, and one for each request in their order. DEXT_DMA_DEVICE_* are their
 * flags. DEXT_REGION_SEGMENTS and so on are where the output of RegisterDMAFile stands.
 *
 * ConfigReadBlock takes an offset and a length in bytes, and returns the bytes.
 */
struct dext_segment {
	uint64_t bus_address, length;
};
struct dext_batch_region {
	uint64_t iova, va, size;
};
struct dext_batch_file {
	uint64_t iova, offset, size, flags; /* as the scalars of RegisterDMAFile */
};
struct dext_batch_result {
	int32_t status; /* an IOReturn */
	uint32_t segments;
	uint64_t bus_address, length; /* of the first segment */
};
struct dext_region_info {
	uint32_t client; /* its number, as in dext_client_info */
	uint32_t segments;
	uint64_t iova, size, bus_address, length;
};
struct dext_client_info {
	uint32_t client; /* its number, unique while the driver runs */
	int32_t pid;
	uint32_t flags; /* DEXT_CLIENT_* */
	uint32_t regions;
	uint64_t bytes_wired, calls, interrupts;
};
#define DEXT_CLIENT_CLAIMED    1u
#define DEXT_CLIENT_EXCLUSIVE  2u
#define DEXT_CLIENT_INTERRUPTS 4u /* it has set interrupts up */
#define DEXT_CLIENT_CALLER     8u /* the one that asks */

#define DEXT_STRUCT_MAX 4096u /* bytes each way in one call */

/* Bits of DEXT_STATUS_FLAGS. */
#define DEXT_STATUS_CLAIMED_BY_CALLER UINT64_C(1)
#define DEXT_STATUS_CLAIMED_EXCLUSIVE UINT64_C(2)
/* BARs that can be mapped are memory; while a client has one mapped, the device polls it. */
#define DEXT_STATUS_POLLS_BARS UINT64_C(4)

/* Values of DEXT_STATUS_INTERRUPT_KIND: what SetupInterrupts takes on this device. */
enum dext_interrupt_kind {
	DEXT_INTERRUPT_NONE,
	DEXT_INTERRUPT_INTX,
	DEXT_INTERRUPT_MSI,
	DEXT_INTERRUPT_MSIX,
};

/* Memory types, for IOConnectMapMemory64(). */
enum dext_memory_type {
	DEXT_MEMORY_DMA_BUFFER = 0,
	DEXT_MEMORY_BAR0 = 1, /* BAR n is DEXT_MEMORY_BAR0 + n */
	DEXT_MEMORY_BAR5 = 6,
	DEXT_MEMORY_IRQ_STATE = 7,
	DEXT_MEMORY_TYPES = 8,
	DEXT_MEMORY_TRACE = 0x1000, /* an extension: struct dext_trace, read-only */
};

/* X(first type, last type, needs): without memory of that type now, kIOReturnNotReady. */
#define DEXT_MEMORY_NEEDS(X)                                                                       \
	X(DEXT_MEMORY_DMA_BUFFER, DEXT_MEMORY_DMA_BUFFER, DEXT_NEEDS_NOTHING)                      \
	X(DEXT_MEMORY_BAR0, DEXT_MEMORY_BAR5, DEXT_NEEDS_CLAIM)                                    \
	X(DEXT_MEMORY_IRQ_STATE, DEXT_MEMORY_IRQ_STATE, DEXT_NEEDS_INTERRUPTS)                     \
	X(DEXT_MEMORY_TRACE, DEXT_MEMORY_TRACE, DEXT_NEEDS_CLAIM_OR_OWNER)

#define DEXT_BARS	 6
#define DEXT_CONFIG_SIZE 4096u
#define DEXT_VECTORS_MAX 256u
#define DEXT_IRQ_WORDS	 4 /* 64 vectors each */

/* The type of a BAR: the low bits of its register. */
#define DEXT_BAR_IO	      0x01u
#define DEXT_BAR_MEM64	      0x04u
#define DEXT_BAR_PREFETCHABLE 0x08u

/* Limits of DMA regions. */
#define DEXT_REGIONS_MAX 65536u		     /* a client */
#define DEXT_CHUNK_MAX	 (UINT64_C(3) << 29) /* 1.5 GiB */
#define DEXT_CHUNKS_MAX	 128u		     /* a region */

/* DMA flags of AllocateDMABuffer and RegisterDMAFile: the device may read, may write it. */
#define DEXT_DMA_DEVICE_READS  UINT64_C(2) /* kIOMemoryDirectionOut */
#define DEXT_DMA_DEVICE_WRITES UINT64_C(1) /* kIOMemoryDirectionIn */

/*
 * The IRQ state page (memory type 7), little-endian. The driver sets pending
 * bits, the client clears them; the client writes enabled bits, the driver
 * reads them. Every access is one atomic operation on a word.
 *
 * What follows enabled is an extension; it is 0 where the driver does not implement it.
 *
 * ArmInterrupts is an asynchronous call, as WaitInterrupt, that stays armed: it completes once for
 * each time that the client has stored 1 to armed. A driver that implements it arms for the first
 * time with the call. When a vector fires, the driver sets its pending bit, then exchanges armed
 * for 0, and completes the call if it was 1. The client stores 1, then reads the pending bits; if
 * one is set it exchanges armed for 0 itself, and if that was 1 there is no completion. These
 * operations are sequentially consistent. ArmInterrupts and WaitInterrupt replace each other.
 * kIOReturnUnsupported where the interrupt is INTx, which WaitInterrupt unmasks, and for a client
 * whose runtime takes one completion of a call.
 */
#define DEXT_IRQ_STATE_SIZE 16384u
struct dext_irq_state {
	uint64_t pending[DEXT_IRQ_WORDS];
	uint64_t enabled[DEXT_IRQ_WORDS];
	uint64_t features; /* DEXT_IRQ_*; written by the driver before the page can be mapped */
	uint64_t armed;
};
#define DEXT_IRQ_TAKES_BY_EXCHANGE UINT64_C(1) /* a client may, in place of CheckInterrupt */

/*
 * The trace (memory type DEXT_MEMORY_TRACE): a ring of the calls that the driver has executed
 * while a client had it mapped. @next is the number of entries written so far;
 * entry n is in slot n % DEXT_TRACE_ENTRIES. While the driver writes a slot its
 * sequence is 0, afterwards n + 1: a reader copies a slot, and compares the
 * sequence before and after.
 */
#define DEXT_TRACE_ENTRIES 4096u
#define DEXT_TRACE_SCALARS 4
struct dext_trace_entry {
	uint64_t sequence;
	uint64_t began, took; /* nanoseconds: of CLOCK_MONOTONIC, and from there on */
	uint32_t client, selector;
	int32_t status;
	uint16_t in_count, out_count; /* of scalars; the first DEXT_TRACE_SCALARS are recorded */
	uint64_t in[DEXT_TRACE_SCALARS], out[DEXT_TRACE_SCALARS];
};
struct dext_trace {
	uint64_t next;
	uint64_t reserved[7];
	struct dext_trace_entry entries[DEXT_TRACE_ENTRIES];
};
/* The size of its mapping: whole pages of any host. */
#define DEXT_TRACE_SIZE ((sizeof(struct dext_trace) + 16383) / 16384 * 16384)

/* Registry property of a driver extension: the PCI root that its device is under. */
#define DEXT_ROOT_PROPERTY "DextPCIRoot"
#define DEXT_ROOT_MAX	   16 /* bytes, with the NUL */

#endif
