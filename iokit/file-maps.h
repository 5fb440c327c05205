/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files mapped on a client's behalf. What is mapped is a window around the range asked for, which
 * is shared by all ranges in it: 2 MiB around a file's first range, twice as much around each
 * next one, up to 1 GiB. So a client that registers much of a file in small pieces takes few
 * mappings, and one that registers a page of a huge file little address space.
 *
 * One table belongs to one user client, whose thread alone gets mappings; they can be put on any
 * thread, and after the user client has gone.
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

/* What one client has taken of them. Zeroed at first; its user's lock guards it. */
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
#define IOU_WINDOW_CLASSES 10u /* each twice the last: the largest is 1 GiB */

struct iou_file_maps *iou_file_maps_create(void);
/* The user client has gone: the table goes with the last mapping of it. NULL is fine. */
void iou_file_maps_release(struct iou_file_maps *maps);

/*
 * Get at [offset, offset + length) of a file. @fd, which stays the caller's, must
 * be a regular file (a memfd is one) that reaches that far, open for writing too when
 * *writable; where it is not, *writable is cleared. Never waits for a file system's daemon or
 * server.
 *
 * kIOReturnBadArgument for another kind of descriptor or a file too short;
 * kIOReturnNotPermitted for a file whose pages may never come: one of FUSE, of a network file
 * system, or of any other that fd_kind() does not know to be local;
 * kIOReturnNoSpace past the limits above; kIOReturnNoMemory; kIOReturnVMError.
 */
kern_return_t iou_file_maps_get(struct iou_file_maps *maps, int fd, uint64_t offset,
	uint64_t length, bool *writable, struct iou_file_map **map, void **address);
void iou_file_maps_put(struct iou_file_map *map);

#endif
