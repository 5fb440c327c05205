/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What clients may use up together of things that a process has only so much of: address space,
 * and mappings (vm.max_map_count). Each client has a guaranteed share, so that one always gets an
 * ordinary region; what it takes beyond that comes from a pool that all share.
 *
 * Any thread.
 */
#ifndef IOKIT_ADDRESS_SPACE_H
#define IOKIT_ADDRESS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * 1024 clients (CLIENTS_MAX of server.c) x 32 GiB and the pool are 96 TiB of 128, and 1024 x 16
 * and the pool 48 Ki mappings of 64 Ki.
 */
#define IOU_BYTES_GUARANTEED (UINT64_C(1) << 35)
#define IOU_BYTES_MAX	     (UINT64_C(1) << 42) /* of one client */
#define IOU_BYTES_POOL	     (UINT64_C(1) << 46)
#define IOU_MAPS_GUARANTEED  16u
#define IOU_MAPS_MAX	     4096u
#define IOU_MAPS_POOL	     32768u

/* One client's part. Its user's lock guards it; it begins zeroed. */
struct iou_address_space {
	uint64_t bytes, maps;
};

/* Count one mapping of @bytes. False, and nothing is counted, where there is no room for it. */
bool iou_address_space_take(struct iou_address_space *space, uint64_t bytes);
/* One mapping of @bytes has ended. */
void iou_address_space_give(struct iou_address_space *space, uint64_t bytes);

#endif
