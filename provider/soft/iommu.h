/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The IOMMU in front of a software device: bus addresses to memory.
 *
 * Identity: the bus address is the client's iova, as with an IOMMU that the host
 * programs. DART: the IOMMU chooses, in pages of 16 KiB, and has limits, as on
 * Apple silicon.
 */
#ifndef PROVIDER_SOFT_IOMMU_H
#define PROVIDER_SOFT_IOMMU_H

#include "driver/provider.h"

#include <stdatomic.h>

struct soft_iommu;

#define SOFT_DART_PAGE	    UINT64_C(16384)
#define SOFT_DART_BYTES_MAX (UINT64_C(3) << 29)
#define SOFT_DART_MAPS_MAX  65536u

/*
 * An IOMMU without mappings; NULL when memory is out. @limits: its kind, and how much a DART
 * can map; what is in use is ignored.
 */
struct soft_iommu *soft_iommu_create(const struct dma_limits *limits);
void soft_iommu_destroy(struct soft_iommu *iommu);

kern_return_t soft_iommu_map(
	struct soft_iommu *iommu, const struct dma_request *request, struct dma_segment *segment);
/*
 * No access that begins later finds the memory. Waits for accesses in progress, at most
 * SOFT_STALL_MS: one that stalls longer holds a reference to the memory's owner until it ends.
 */
void soft_iommu_unmap(struct soft_iommu *iommu, const struct dma_segment *segment);

void soft_iommu_get_limits(struct soft_iommu *iommu, struct dma_limits *limits);

/* Move bytes; false when part of them is not mapped, not writable, or gone. */
bool soft_iommu_read(struct soft_iommu *iommu, uint64_t address, void *buffer, size_t length);
bool soft_iommu_write(
	struct soft_iommu *iommu, uint64_t address, const void *buffer, size_t length);
/*
 * Move bytes between a file and the segments, one after the other: 0 or a negative errno, -EFAULT
 * for the memory's part. Without @may_wait: -EAGAIN when the page cache does not have all of it,
 * -EOPNOTSUPP when the file system cannot tell.
 */
int soft_iommu_from_file(struct soft_iommu *iommu, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset, bool may_wait);
int soft_iommu_to_file(struct soft_iommu *iommu, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset);

#endif
