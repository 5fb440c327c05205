/* SPDX-License-Identifier: BSD-3-Clause */
/* What this process's own address space holds. The one place that asks Linux. */
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
	bool shared;	 /* what a descriptor of the file would reach, too */
	uint64_t offset; /* in the file */
	dev_t device;
	ino_t inode;
};

/*
 * The regions that make up [va, va + size), in order and cut to it, in an array
 * to be freed. kIOReturnVMError when part of it is not mapped, or not readable;
 * kIOReturnNoMemory; kIOReturnBadArgument when it wraps.
 */
kern_return_t iou_vm_regions(
	uint64_t va, uint64_t size, struct iou_vm_region **regions, size_t *count);

/*
 * The same of an address space that @maps tells of: a /proc/PID/maps, or a file with
 * such text, read from its position on. @maps stays the caller's.
 */
kern_return_t iou_vm_regions_from(
	int maps, uint64_t va, uint64_t size, struct iou_vm_region **regions, size_t *count);

/*
 * A descriptor for a shared region's file, the caller's to close, opened at least as
 * the region is mapped: a duplicate of one that this process has open, else a new
 * one where the system allows it, else -1.
 */
int iou_vm_region_fd(const struct iou_vm_region *region);

#endif
