/* SPDX-License-Identifier: BSD-3-Clause */
/* The mappings of a software IOMMU, for the files that implement it. */
#ifndef PROVIDER_SOFT_MAPPING_H
#define PROVIDER_SOFT_MAPPING_H

#include "common/dma-span.h"
#include "provider/soft/iommu.h"

#include <bsd/sys/tree.h>

struct mapping {
	RB_ENTRY(mapping) node;
	/* The tree holds one, each access in progress one; the last one frees it. */
	atomic_uint references;
	uint32_t span_count;
	struct dma_owner *owner;  /* of the memory, referenced; or NULL */
	uint64_t address, length; /* length - 1 does not carry address past the end */
	struct dma_span spans[];
};

/*
 * The mapping that contains @address, referenced until soft_mapping_put(); NULL when there is none.
 * @offset: set to the offset of @address in it; @length: cut at its end.
 */
struct mapping *soft_mapping_pin(
	struct soft_iommu *iommu, uint64_t address, uint64_t *offset, size_t *length);
void soft_mapping_put(struct mapping *mapping);

#endif
