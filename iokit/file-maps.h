/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mappings of clients' files. A range is mapped as part of a window, which is shared by all ranges
 * in it. The first window of a file has 2 MiB, each next one twice as much, up to 1 GiB. So a
 * client that registers a large file in small ranges needs few mappings, and one that registers a
 * page of a large file needs little address space.
 *
 * A table belongs to one user client, whose thread alone calls iou_file_maps_get(). Mappings can
 * be released by any thread, also after the user client is closed.
 */
#ifndef IOKIT_FILE_MAPS_H
#define IOKIT_FILE_MAPS_H

#include <IOKit/IOReturn.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Limits of address space and mappings. 1024 clients (CLIENTS_MAX of server.c) with 32 GiB each,
 * and the pool, are 96 TiB of the 128 TiB of an address space; with 16 mappings each, and the
 * pool, 48 Ki mappings of the default 64 Ki (vm.max_map_count).
 */
#define IOU_BYTES_GUARANTEED (UINT64_C(1) << 35)
#define IOU_BYTES_MAX	     (UINT64_C(1) << 42) /* of one client */
#define IOU_BYTES_POOL	     (UINT64_C(1) << 46)
#define IOU_MAPS_GUARANTEED  16u
#define IOU_MAPS_MAX	     4096u
#define IOU_MAPS_POOL	     32768u

/* What one client uses. Initially zero; the caller locks it. */
struct iou_address_space {
	uint64_t bytes, maps;
};

/* Count one mapping of @bytes. False, with nothing counted, past a limit. Any thread. */
bool iou_address_space_take(struct iou_address_space *space, uint64_t bytes);
/* Count one mapping of @bytes less. */
void iou_address_space_give(struct iou_address_space *space, uint64_t bytes);

struct iou_file_maps;
struct iou_file_map;

#define IOU_WINDOW_MIN	   (UINT64_C(2) << 20)
#define IOU_WINDOW_CLASSES 10u /* each twice as large as the last; the largest is 1 GiB */

struct iou_file_maps *iou_file_maps_create(void);
/* The user client is closed: the table is freed with its last mapping. May be NULL. */
void iou_file_maps_release(struct iou_file_maps *maps);

/*
 * Map [offset, offset + length) of a file, and set *@address to the address of @offset. @fd must
 * be of a regular file (or memfd) of at least that size; the caller closes it. *@writable is
 * cleared if it is not open for writing. Does not block on the file system.
 *
 * kIOReturnBadArgument for another kind of descriptor or a file too short;
 * kIOReturnNotPermitted for a file whose pages may never arrive: on FUSE, a network file system,
 * or any other that fd_kind() does not report as local;
 * kIOReturnNoSpace past the limits above; kIOReturnNoMemory; kIOReturnVMError.
 */
kern_return_t iou_file_maps_get(struct iou_file_maps *maps, int fd, uint64_t offset,
	uint64_t length, bool *writable, struct iou_file_map **map, void **address);
void iou_file_maps_put(struct iou_file_map *map);

#endif
