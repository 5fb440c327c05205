/* SPDX-License-Identifier: BSD-3-Clause */
/* The mappings of this process (Linux: /proc/self/maps) and descriptors of their files. */
#ifndef IOKIT_VM_REGION_H
#define IOKIT_VM_REGION_H

#include <IOKit/IOReturn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct iou_vm_region {
	uint64_t va, length;
	bool writable;
	bool shared;	 /* a shared mapping of a file */
	uint64_t offset; /* in the file */
	dev_t device;
	ino_t inode;
};

/*
 * Get the regions of [va, va + size), in order and clipped to it, as an array for free(). kIOReturnVMError when part of it is not mapped, or not readable;
 * kIOReturnNoMemory; kIOReturnBadArgument when it wraps.
 */
kern_return_t iou_vm_regions(
	uint64_t va, uint64_t size, struct iou_vm_region **regions, size_t *count);

/*
 * The same for @maps: a descriptor of /proc/PID/maps, or of a file with such text, read from its
 * current position. The caller closes it.
 */
kern_return_t iou_vm_regions_from(
	int maps, uint64_t va, uint64_t size, struct iou_vm_region **regions, size_t *count);

/*
 * A new descriptor of a shared region's file, with at least the access that the region has: a
 * duplicate of one that this process has open, else a newly opened one, else -1. The caller
 * closes it.
 */
int iou_vm_region_fd(const struct iou_vm_region *region);

#endif
