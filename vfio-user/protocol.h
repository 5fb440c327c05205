/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user protocol on the wire, version 0.1. Everything is in the host's
 * byte order; a message is a header and a payload, descriptors travel beside it.
 */
#ifndef VFIO_USER_PROTOCOL_H
#define VFIO_USER_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define VU_VERSION_MAJOR 0
#define VU_VERSION_MINOR 1

/* X(number, name): every command that the protocol has, or once had. */
#define VU_COMMANDS(X)                   \
	X(1, VERSION)                    \
	X(2, DMA_MAP)                    \
	X(3, DMA_UNMAP)                  \
	X(4, DEVICE_GET_INFO)            \
	X(5, DEVICE_GET_REGION_INFO)     \
	X(6, DEVICE_GET_REGION_IO_FDS)   \
	X(7, DEVICE_GET_IRQ_INFO)        \
	X(8, DEVICE_SET_IRQS)            \
	X(9, REGION_READ)                \
	X(10, REGION_WRITE)              \
	X(11, DMA_READ)                  \
	X(12, DMA_WRITE)                 \
	X(13, DEVICE_RESET)              \
	X(14, DIRTY_PAGES)               \
	X(15, REGION_WRITE_MULTI)        \
	X(16, DEVICE_FEATURE)            \
	X(17, MIG_DATA_READ)             \
	X(18, MIG_DATA_WRITE)

enum vu_command {
#define VU_COMMAND_ENUM(number, name) VU_##name = (number),
	VU_COMMANDS(VU_COMMAND_ENUM)
#undef VU_COMMAND_ENUM
};

/* vu_header.flags */
#define VU_TYPE_MASK    0x0fu
#define VU_TYPE_COMMAND 0x00u
#define VU_TYPE_REPLY   0x01u
#define VU_NO_REPLY     0x10u
#define VU_ERROR        0x20u

struct vu_header {
	uint16_t id;
	uint16_t command;
	uint32_t size;	/* of the message, this header included */
	uint32_t flags;
	uint32_t error;	/* an errno, in a reply with VU_ERROR */
};
_Static_assert(sizeof(struct vu_header) == 16, "layout");

/* Followed by JSON text and its terminating NUL, or by nothing. */
struct vu_version {
	uint16_t major;
	uint16_t minor;
};
_Static_assert(sizeof(struct vu_version) == 4, "layout");

/* vu_dma_map.flags */
#define VU_DMA_READ_FLAG  0x1u
#define VU_DMA_WRITE_FLAG 0x2u

struct vu_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset;	/* in the descriptor */
	uint64_t address;
	uint64_t size;
};
_Static_assert(sizeof(struct vu_dma_map) == 32, "layout");

/* vu_dma_unmap.flags */
#define VU_DMA_UNMAP_DIRTY 0x1u
#define VU_DMA_UNMAP_ALL   0x2u

struct vu_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};
_Static_assert(sizeof(struct vu_dma_unmap) == 24, "layout");

/* vu_device_info.flags */
#define VU_DEVICE_RESETS 0x1u
#define VU_DEVICE_IS_PCI 0x2u

struct vu_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};
_Static_assert(sizeof(struct vu_device_info) == 16, "layout");

/* Region indices of a PCI device; 0 to 5 are the BARs. */
enum { VU_REGION_ROM = 6, VU_REGION_CONFIG = 7, VU_REGION_VGA = 8, VU_REGIONS = 9 };

/* vu_region_info.flags */
#define VU_REGION_CAN_READ  0x1u
#define VU_REGION_CAN_WRITE 0x2u
#define VU_REGION_CAN_MAP   0x4u	/* a descriptor comes with the reply */
#define VU_REGION_HAS_CAPS  0x8u	/* they follow, the first one at @cap_offset */

struct vu_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset;
};
_Static_assert(sizeof(struct vu_region_info) == 32, "layout");

/* The capability of a region that says which part of it can be mapped, with one part. */
#define VU_CAP_SPARSE_MMAP         1u
#define VU_CAP_SPARSE_MMAP_VERSION 1u

struct vu_sparse_mmap {
	uint16_t id;
	uint16_t version;
	uint32_t next;	/* from the region's info on; 0: no other */
	uint32_t count;
	uint32_t reserved;
	uint64_t offset;
	uint64_t size;
};
_Static_assert(sizeof(struct vu_sparse_mmap) == 32, "layout");

/*
 * Which parts of a region have descriptors for accesses that need no message. So many
 * entries as @count says would follow, and a descriptor for each.
 */
struct vu_region_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
_Static_assert(sizeof(struct vu_region_io_fds) == 16, "layout");

/* Interrupt indices of a PCI device. */
enum { VU_IRQ_INTX, VU_IRQ_MSI, VU_IRQ_MSIX, VU_IRQ_ERR, VU_IRQ_REQ, VU_IRQS };

/* vu_irq_info.flags */
#define VU_IRQ_EVENTFD    0x1u
#define VU_IRQ_MASKABLE   0x2u
#define VU_IRQ_AUTOMASKED 0x4u
#define VU_IRQ_NORESIZE   0x8u

struct vu_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
_Static_assert(sizeof(struct vu_irq_info) == 16, "layout");

/* vu_irq_set.flags: one of the first three, and one of the last three. */
#define VU_SET_DATA_NONE      0x01u
#define VU_SET_DATA_BOOL      0x02u
#define VU_SET_DATA_EVENTFD   0x04u
#define VU_SET_DATA_MASK      0x07u
#define VU_SET_ACTION_MASK    0x08u
#define VU_SET_ACTION_UNMASK  0x10u
#define VU_SET_ACTION_TRIGGER 0x20u
#define VU_SET_ACTIONS        0x38u

/* Followed by @count bytes with VU_SET_DATA_BOOL. */
struct vu_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};
_Static_assert(sizeof(struct vu_irq_set) == 20, "layout");

/* Followed by @count bytes in a write, and in the reply to a read. */
struct vu_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};
_Static_assert(sizeof(struct vu_region_access) == 16, "layout");

/* The payload of REGION_WRITE_MULTI: a uint64_t count, and so many of these. */
struct vu_region_write {
	uint64_t offset;
	uint32_t region;
	uint32_t count;	/* at most 8 */
	uint8_t data[8];
};
_Static_assert(sizeof(struct vu_region_write) == 24, "layout");

/* vu_device_feature.flags: the feature's number, and what is wanted of it. */
#define VU_FEATURE_NUMBER 0x0000ffffu
#define VU_FEATURE_GET    0x00010000u
#define VU_FEATURE_SET    0x00020000u
#define VU_FEATURE_PROBE  0x00040000u

/* Followed by what the feature has. */
struct vu_device_feature {
	uint32_t argsz;
	uint32_t flags;
};
_Static_assert(sizeof(struct vu_device_feature) == 8, "layout");

/* What this server takes. Clients refuse a server that offers more descriptors than 16. */
#define VU_FDS_MAX     16u
#define VU_DATA_MAX    (1u << 20)	/* bytes in one region access */
#define VU_MAPS_MAX    65535u
#define VU_PAYLOAD_MAX (VU_DATA_MAX + sizeof(struct vu_region_access))
#define VU_PAGE_SIZE   4096u

#endif
