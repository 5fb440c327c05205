/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user protocol on the wire, version 0.1. Everything is in the host's
 * byte order; a message is a header and a payload, descriptors travel beside it.
 */
#ifndef VFIO_USER_PROTOCOL_H
#define VFIO_USER_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define VFIO_USER_VERSION_MAJOR 0
#define VFIO_USER_VERSION_MINOR 1

/* X(number, name): every command that the protocol has, or once had. */
#define VFIO_USER_COMMANDS(X)                                                                      \
	X(1, VERSION)                                                                              \
	X(2, DMA_MAP)                                                                              \
	X(3, DMA_UNMAP)                                                                            \
	X(4, DEVICE_GET_INFO)                                                                      \
	X(5, DEVICE_GET_REGION_INFO)                                                               \
	X(6, DEVICE_GET_REGION_IO_FDS)                                                             \
	X(7, DEVICE_GET_IRQ_INFO)                                                                  \
	X(8, DEVICE_SET_IRQS)                                                                      \
	X(9, REGION_READ)                                                                          \
	X(10, REGION_WRITE)                                                                        \
	X(11, DMA_READ)                                                                            \
	X(12, DMA_WRITE)                                                                           \
	X(13, DEVICE_RESET)                                                                        \
	X(14, DIRTY_PAGES)                                                                         \
	X(15, REGION_WRITE_MULTI)                                                                  \
	X(16, DEVICE_FEATURE)                                                                      \
	X(17, MIG_DATA_READ)                                                                       \
	X(18, MIG_DATA_WRITE)

enum vfio_user_command {
#define VFIO_USER_COMMAND_ENUM(number, name) VFIO_USER_##name = (number),
	VFIO_USER_COMMANDS(VFIO_USER_COMMAND_ENUM)
#undef VFIO_USER_COMMAND_ENUM
};

/* vfio_user_header.flags */
#define VFIO_USER_TYPE_MASK    0x0fu
#define VFIO_USER_TYPE_COMMAND 0x00u
#define VFIO_USER_TYPE_REPLY   0x01u
#define VFIO_USER_NO_REPLY     0x10u
#define VFIO_USER_ERROR	       0x20u

struct vfio_user_header {
	uint16_t id;
	uint16_t command;
	uint32_t size; /* of the message, this header included */
	uint32_t flags;
	uint32_t error; /* an errno, in a reply with VFIO_USER_ERROR */
};
_Static_assert(sizeof(struct vfio_user_header) == 16, "layout");

/* Followed by JSON text and its terminating NUL, or by nothing. */
struct vfio_user_version {
	uint16_t major;
	uint16_t minor;
};
_Static_assert(sizeof(struct vfio_user_version) == 4, "layout");

/* vfio_user_dma_map.flags */
#define VFIO_USER_F_DMA_REGION_READ  0x1u
#define VFIO_USER_F_DMA_REGION_WRITE 0x2u

struct vfio_user_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset; /* in the descriptor */
	uint64_t address;
	uint64_t size;
};
_Static_assert(sizeof(struct vfio_user_dma_map) == 32, "layout");

/* vfio_user_dma_unmap.flags */
#define VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP 0x1u
#define VFIO_DMA_UNMAP_FLAG_ALL		     0x2u

struct vfio_user_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};
_Static_assert(sizeof(struct vfio_user_dma_unmap) == 24, "layout");

/* vfio_user_device_info.flags */
#define VFIO_DEVICE_FLAGS_RESET 0x1u
#define VFIO_DEVICE_FLAGS_PCI	0x2u

struct vfio_user_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};
_Static_assert(sizeof(struct vfio_user_device_info) == 16, "layout");

/* Region indices of a PCI device; 0 to 5 are the BARs. */
enum {
	VFIO_PCI_ROM_REGION_INDEX = 6,
	VFIO_PCI_CONFIG_REGION_INDEX = 7,
	VFIO_PCI_VGA_REGION_INDEX = 8,
	VFIO_PCI_NUM_REGIONS = 9
};

/* vfio_user_region_info.flags */
#define VFIO_REGION_INFO_FLAG_READ  0x1u
#define VFIO_REGION_INFO_FLAG_WRITE 0x2u
#define VFIO_REGION_INFO_FLAG_MMAP  0x4u /* a descriptor comes with the reply */
#define VFIO_REGION_INFO_FLAG_CAPS  0x8u /* they follow, the first one at @cap_offset */

struct vfio_user_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset;
};
_Static_assert(sizeof(struct vfio_user_region_info) == 32, "layout");

/* The capability of a region that says which part of it can be mapped, with one part. */
#define VFIO_REGION_INFO_CAP_SPARSE_MMAP	 1u
#define VFIO_REGION_INFO_CAP_SPARSE_MMAP_VERSION 1u

struct vfio_user_sparse_mmap {
	uint16_t id;
	uint16_t version;
	uint32_t next; /* from the region's info on; 0: no other */
	uint32_t count;
	uint32_t reserved;
	uint64_t offset;
	uint64_t size;
};
_Static_assert(sizeof(struct vfio_user_sparse_mmap) == 32, "layout");

/*
 * Which parts of a region have descriptors for accesses that need no message. So many
 * entries as @count says would follow, and a descriptor for each.
 */
struct vfio_user_region_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
_Static_assert(sizeof(struct vfio_user_region_io_fds) == 16, "layout");

/* Interrupt indices of a PCI device. */
enum {
	VFIO_PCI_INTX_IRQ_INDEX,
	VFIO_PCI_MSI_IRQ_INDEX,
	VFIO_PCI_MSIX_IRQ_INDEX,
	VFIO_PCI_ERR_IRQ_INDEX,
	VFIO_PCI_REQ_IRQ_INDEX,
	VFIO_PCI_NUM_IRQS
};

/* vfio_user_irq_info.flags */
#define VFIO_IRQ_INFO_EVENTFD	 0x1u
#define VFIO_IRQ_INFO_MASKABLE	 0x2u
#define VFIO_IRQ_INFO_AUTOMASKED 0x4u
#define VFIO_IRQ_INFO_NORESIZE	 0x8u

struct vfio_user_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
_Static_assert(sizeof(struct vfio_user_irq_info) == 16, "layout");

/* vfio_user_irq_set.flags: one of the first three, and one of the last three. */
#define VFIO_IRQ_SET_DATA_NONE	      0x01u
#define VFIO_IRQ_SET_DATA_BOOL	      0x02u
#define VFIO_IRQ_SET_DATA_EVENTFD     0x04u
#define VFIO_IRQ_SET_DATA_TYPE_MASK   0x07u
#define VFIO_IRQ_SET_ACTION_MASK      0x08u
#define VFIO_IRQ_SET_ACTION_UNMASK    0x10u
#define VFIO_IRQ_SET_ACTION_TRIGGER   0x20u
#define VFIO_IRQ_SET_ACTION_TYPE_MASK 0x38u

/* Followed by @count bytes with VFIO_IRQ_SET_DATA_BOOL. */
struct vfio_user_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};
_Static_assert(sizeof(struct vfio_user_irq_set) == 20, "layout");

/* Followed by @count bytes in a write, and in the reply to a read. */
struct vfio_user_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};
_Static_assert(sizeof(struct vfio_user_region_access) == 16, "layout");

/* The payload of REGION_WRITE_MULTI: a uint64_t count, and so many of these. */
struct vfio_user_region_write {
	uint64_t offset;
	uint32_t region;
	uint32_t count; /* at most 8 */
	uint8_t data[8];
};
_Static_assert(sizeof(struct vfio_user_region_write) == 24, "layout");

/* vfio_user_device_feature.flags: the feature's number, and what is wanted of it. */
#define VFIO_DEVICE_FEATURE_MASK  0x0000ffffu
#define VFIO_DEVICE_FEATURE_GET	  0x00010000u
#define VFIO_DEVICE_FEATURE_SET	  0x00020000u
#define VFIO_DEVICE_FEATURE_PROBE 0x00040000u

/* Followed by what the feature has. */
struct vfio_user_device_feature {
	uint32_t argsz;
	uint32_t flags;
};
_Static_assert(sizeof(struct vfio_user_device_feature) == 8, "layout");

/* What this server takes. Clients refuse a server that offers more descriptors than 16. */
#define VU_FDS_MAX     16u
#define VU_DATA_MAX    (1u << 20) /* bytes in one region access */
#define VU_MAPS_MAX    65535u
#define VU_PAYLOAD_MAX (VU_DATA_MAX + sizeof(struct vfio_user_region_access))
#define VU_PAGE_SIZE   4096u

#endif
