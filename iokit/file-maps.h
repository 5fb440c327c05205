/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files mapped on a client's behalf: each once, however many ranges of it are in
 * use. One table belongs to one user client, whose thread alone gets mappings; they can be
 * put on any thread, and after the user client has gone.
 */
#ifndef IOKIT_FILE_MAPS_H
#define IOKIT_FILE_MAPS_H

#include <IOKit/IOReturn.h>
#include <stdbool.h>
#include <stdint.h>

struct iou_file_maps;
struct iou_file_map;

#define IOU_FILE_MAPS_MAX   4096u
#define IOU_FILE_MAPS_BYTES (UINT64_C(1) << 43)

struct iou_file_maps *iou_file_maps_create(void);
/* The user client has gone: the table goes with the last mapping of it. NULL is fine. */
void iou_file_maps_release(struct iou_file_maps *maps);

/*
 * Get at [offset, offset + length) of a file. @fd, which stays the caller's, must
 * be a regular file (a memfd is one) that reaches that far, open for writing too when
 * *writable; where it is not, *writable is cleared.
 *
 * kIOReturnBadArgument for another kind of descriptor or a file too short;
 * kIOReturnNoSpace past IOU_FILE_MAPS_MAX files or IOU_FILE_MAPS_BYTES in all, so that
 * one client does not use up the address space that all share; kIOReturnNoMemory;
 * kIOReturnVMError.
 */
kern_return_t iou_file_maps_get(struct iou_file_maps *maps, int fd, uint64_t offset,
	uint64_t length, bool *writable, struct iou_file_map **map, void **address);
void iou_file_maps_put(struct iou_file_map *map);

#endif
