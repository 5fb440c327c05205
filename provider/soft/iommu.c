/* SPDX-License-Identifier: BSD-3-Clause */
/* The mappings of an IOMMU: bus addresses are chosen, looked up and freed. */
#include "provider/soft/mapping.h"
#include "provider/soft/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int compare(struct mapping *a, struct mapping *b)
{
	return (a->address > b->address) - (a->address < b->address);
}

RB_HEAD(mapping_tree, mapping);
RB_GENERATE_INTERNAL(mapping_tree, mapping, node, compare, static __attribute__((unused)))

struct soft_iommu {
	/*
	 * Guards what follows. It is a leaf, and is not held during an access to memory:
	 * an access holds a reference to its mapping instead.
	 */
	pthread_rwlock_t lock;
	struct mapping_tree tree;
	struct dma_limits limits; /* kind, bytes and maps are constant */
	uint64_t next;		  /* where the search for a free address begins */
};

/* Addresses of an identity IOMMU's choice: a window that clients are unlikely to use. */
#define IDENTITY_WINDOW_BEGIN (UINT64_C(1) << 46)
#define IDENTITY_WINDOW_END   (UINT64_C(1) << 47)
/* A DART's window: 64 times what can be mapped at a time by default. */
#define DART_WINDOW_BEGIN (UINT64_C(1) << 32)
#define DART_WINDOW_END	  (UINT64_C(1) << 38)

static bool is_dart(const struct soft_iommu *iommu)
{
	return iommu->limits.kind == DEXT_IOMMU_DART;
}

struct soft_iommu *soft_iommu_create(const struct dma_limits *limits)
{
	struct soft_iommu *iommu = calloc(1, sizeof(*iommu));
	pthread_rwlockattr_t attributes;

	if (!iommu)
		return NULL;
	iommu->limits = (struct dma_limits){
		.kind = limits->kind, .bytes = limits->bytes, .maps = limits->maps
	};
	iommu->next = is_dart(iommu) ? DART_WINDOW_BEGIN : IDENTITY_WINDOW_BEGIN;
	RB_INIT(&iommu->tree);
	/* Otherwise a device that is always busy could starve an unmap. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&iommu->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	return iommu;
}

void soft_mapping_put(struct mapping *mapping)
{
	if (atomic_fetch_sub(&mapping->references, 1) != 1)
		return;
	dma_owner_put(mapping->owner);
	free(mapping);
}

/*
 * Release the reference of the tree, which no longer contains the mapping, once the accesses
 * in progress have ended or SOFT_STALL_MS have passed. It polls: unmaps that meet an access
 * are rare, and an access takes microseconds.
 */
static void retire(struct mapping *mapping)
{
	uint64_t deadline = soft_now_ns() + SOFT_STALL_MS * UINT64_C(1000000);
	long pause_ns = 10000;

	while (atomic_load(&mapping->references) > 1 && soft_now_ns() < deadline) {
		nanosleep(&(struct timespec){ .tv_nsec = pause_ns }, NULL);
		if (pause_ns < 1000000)
			pause_ns *= 2;
	}
	soft_mapping_put(mapping);
}

void soft_iommu_destroy(struct soft_iommu *iommu)
{
	struct mapping *mapping, *next;

	if (!iommu)
		return;
	RB_FOREACH_SAFE (mapping, mapping_tree, &iommu->tree, next) {
		RB_REMOVE(mapping_tree, &iommu->tree, mapping);
		soft_mapping_put(mapping);
	}
	pthread_rwlock_destroy(&iommu->lock);
	free(iommu);
}

/* The mapping with the highest address that is at most @address. */
static struct mapping *floor_of(struct soft_iommu *iommu, uint64_t address)
{
	struct mapping *node = RB_ROOT(&iommu->tree), *best = NULL;

	while (node) {
		if (node->address <= address) {
			best = node;
			node = RB_RIGHT(node, node);
		} else {
			node = RB_LEFT(node, node);
		}
	}
	return best;
}

/* A mapping that has a byte in common with [address, address + length), or NULL. */
static struct mapping *overlap(struct soft_iommu *iommu, uint64_t address, uint64_t length)
{
	struct mapping *found = floor_of(iommu, address + (length - 1));

	if (found && found->address < address && address - found->address >= found->length)
		return NULL;
	return found;
}

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

/*
 * Find a free, aligned range of the window, first after the one found last, then from the
 * beginning. Return: false when there is none.
 */
static bool find_free(
	struct soft_iommu *iommu, uint64_t length, uint64_t alignment, uint64_t *address)
{
	uint64_t begin = is_dart(iommu) ? DART_WINDOW_BEGIN : IDENTITY_WINDOW_BEGIN;
	uint64_t end = is_dart(iommu) ? DART_WINDOW_END : IDENTITY_WINDOW_END;
	uint64_t at = align_up(iommu->next, alignment);
	struct mapping *taken;
	bool wrapped = false;

	if (length > end - begin || alignment > end - begin)
		return false;
	for (;;) {
		if (at > end || end - at < length) {
			if (wrapped)
				return false;
			wrapped = true;
			at = align_up(begin, alignment);
			continue;
		}
		taken = overlap(iommu, at, length);
		if (!taken)
			break;
		at = align_up(taken->address + taken->length, alignment);
	}
	iommu->next = at + length;
	*address = at;
	return true;
}

/* The bytes of a mapping that count against the limit: with a DART, whole pages. */
static uint64_t bytes_charged(const struct soft_iommu *iommu, const struct mapping *mapping)
{
	if (!is_dart(iommu))
		return mapping->length;
	return align_up(mapping->address % SOFT_DART_PAGE + mapping->length, SOFT_DART_PAGE);
}

/* A DART maps whole pages; the offset in the first page is that of the memory. */
static kern_return_t place_dart(
	struct soft_iommu *iommu, const struct dma_request *request, struct mapping *mapping)
{
	const struct dma_span *first = &request->spans[0];
	uint64_t va = first->is_private ? first->va : (uintptr_t)first->host;
	uint64_t offset = va % SOFT_DART_PAGE, page;
	uint64_t alignment =
		request->alignment > SOFT_DART_PAGE ? request->alignment : SOFT_DART_PAGE;
	uint64_t size = align_up(offset + request->length, SOFT_DART_PAGE);

	if (iommu->limits.maps_used >= iommu->limits.maps || size > iommu->limits.bytes ||
		iommu->limits.bytes_used > iommu->limits.bytes - size)
		return kIOReturnNoSpace;
	if (!find_free(iommu, size, alignment, &page))
		return kIOReturnNoSpace;
	mapping->address = page + offset;
	return kIOReturnSuccess;
}

static kern_return_t place_identity(
	struct soft_iommu *iommu, const struct dma_request *request, struct mapping *mapping)
{
	uint64_t last;

	if (request->anywhere)
		return find_free(iommu, request->length,
			       request->alignment ? request->alignment : 4096, &mapping->address) ?
			       kIOReturnSuccess :
			       kIOReturnNoSpace;
	if (__builtin_add_overflow(request->iova, request->length - 1, &last))
		return kIOReturnBadArgument;
	if (overlap(iommu, request->iova, request->length))
		return kIOReturnBusy;
	mapping->address = request->iova;
	return kIOReturnSuccess;
}

kern_return_t soft_iommu_map(
	struct soft_iommu *iommu, const struct dma_request *request, struct dma_segment *segment)
{
	size_t size = request->span_count * sizeof(request->spans[0]);
	struct mapping *mapping = malloc(sizeof(*mapping) + size);
	kern_return_t status;

	if (!mapping)
		return kIOReturnNoMemory;
	atomic_init(&mapping->references, 1);
	mapping->owner = request->owner;
	mapping->length = request->length;
	mapping->span_count = (uint32_t)request->span_count;
	memcpy(mapping->spans, request->spans, size);
	dma_owner_get(mapping->owner);
	pthread_rwlock_wrlock(&iommu->lock);
	status = is_dart(iommu) ? place_dart(iommu, request, mapping) :
				  place_identity(iommu, request, mapping);
	if (status == kIOReturnSuccess) {
		RB_INSERT(mapping_tree, &iommu->tree, mapping);
		iommu->limits.maps_used++;
		iommu->limits.bytes_used += bytes_charged(iommu, mapping);
		*segment = (struct dma_segment){ mapping->address, mapping->length };
	}
	pthread_rwlock_unlock(&iommu->lock);
	if (status != kIOReturnSuccess)
		soft_mapping_put(mapping);
	return status;
}

void soft_iommu_unmap(struct soft_iommu *iommu, const struct dma_segment *segment)
{
	struct mapping *mapping;

	pthread_rwlock_wrlock(&iommu->lock);
	mapping = floor_of(iommu, segment->bus_address);
	if (mapping && mapping->address == segment->bus_address) {
		RB_REMOVE(mapping_tree, &iommu->tree, mapping);
		iommu->limits.maps_used--;
		iommu->limits.bytes_used -= bytes_charged(iommu, mapping);
	} else {
		mapping = NULL;
	}
	pthread_rwlock_unlock(&iommu->lock);
	if (mapping)
		retire(mapping);
}

void soft_iommu_get_limits(struct soft_iommu *iommu, struct dma_limits *limits)
{
	pthread_rwlock_rdlock(&iommu->lock);
	*limits = iommu->limits;
	pthread_rwlock_unlock(&iommu->lock);
}

struct mapping *soft_mapping_pin(
	struct soft_iommu *iommu, uint64_t address, uint64_t *offset, size_t *length)
{
	struct mapping *mapping;

	pthread_rwlock_rdlock(&iommu->lock);
	mapping = floor_of(iommu, address);
	if (mapping && address - mapping->address >= mapping->length)
		mapping = NULL;
	if (mapping)
		atomic_fetch_add(&mapping->references, 1);
	pthread_rwlock_unlock(&iommu->lock);
	if (!mapping)
		return NULL;
	*offset = address - mapping->address;
	if (*length > mapping->length - *offset)
		*length = (size_t)(mapping->length - *offset);
	return mapping;
}
