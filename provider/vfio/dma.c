/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mappings of client memory: bus address equals iova. The kernel pins the pages when they are
 * mapped, and an unmap returns when the IOMMU translates none of them any more.
 */
#include "provider/vfio/vfio.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uthash.h>

struct vfio_mapping {
	UT_hash_handle hh;
	uint64_t bus_address, length;
};

static bool may_exceed_memlock(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[0].effective & (1u << CAP_IPC_LOCK));
}

/* Checked before the kernel does, so that the log names the limit. dma_lock is held. */
static bool fits_memlock(struct vfio_device *device, uint64_t length)
{
	struct rlimit limit;

	if (may_exceed_memlock() || getrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
		limit.rlim_cur == RLIM_INFINITY)
		return true;
	if (length <= limit.rlim_cur && device->bytes_mapped <= limit.rlim_cur - length)
		return true;
	vfio_log(device,
		"%llu KiB more cannot be pinned for DMA: %llu KiB are, and RLIMIT_MEMLOCK is %llu "
		"KiB: raise it with ulimit -l, or LimitMEMLOCK= in the unit",
		(unsigned long long)(length >> 10),
		(unsigned long long)(device->bytes_mapped >> 10),
		(unsigned long long)(limit.rlim_cur >> 10));
	return false;
}

static bool is_translated(const struct vfio_device *device, uint64_t first, uint64_t last)
{
	const struct vfio_iommu_info *info = &device->iommu_info;

	for (size_t i = 0; i < info->window_count; i++)
		if (first >= info->windows[i].first && last <= info->windows[i].last)
			return true;
	return false;
}

static void log_windows(struct vfio_device *device, uint64_t first, uint64_t last)
{
	const struct vfio_iommu_info *info = &device->iommu_info;
	char text[160] = "";

	for (size_t i = 0; i < info->window_count; i++) {
		size_t used = strlen(text);

		if (used > sizeof(text) - 48)
			break;
		snprintf(text + used, sizeof(text) - used, "%s%#llx-%#llx", used ? ", " : "",
			(unsigned long long)info->windows[i].first,
			(unsigned long long)info->windows[i].last);
	}
	vfio_log(device,
		"bus addresses %#llx-%#llx are reserved or too wide for the IOMMU, which takes %s",
		(unsigned long long)first, (unsigned long long)last, text);
}

/* Whether the kernel can map the request as it is. */
static kern_return_t check_request(struct vfio_device *device, const struct dma_request *request)
{
	uint64_t page = device->iommu_info.page_size;

	for (size_t i = 0; i < request->span_count; i++) {
		const struct dma_span *span = &request->spans[i];

		if (span->is_private) {
			vfio_log(device, "private memory of a client cannot be pinned for DMA: it "
					 "must be shared (memfd, file)");
			return kIOReturnNotPermitted;
		}
		if ((uintptr_t)span->host % page || span->length % page) {
			vfio_log(device,
				"memory for DMA must be aligned to the IOMMU's pages of %llu bytes",
				(unsigned long long)page);
			return kIOReturnNotAligned;
		}
	}
	if (request->anywhere)
		return kIOReturnSuccess;
	if (request->iova % page)
		return kIOReturnNotAligned;
	if (!is_translated(device, request->iova, request->iova + (request->length - 1))) {
		log_windows(device, request->iova, request->iova + (request->length - 1));
		return kIOReturnNoSpace;
	}
	return kIOReturnSuccess;
}

static kern_return_t result_of(int code)
{
	switch (code) {
	case 0:
		return kIOReturnSuccess;
	case -EEXIST:
	case -EADDRINUSE:
		return kIOReturnBusy;
	case -ENOSPC:
		return kIOReturnNoSpace;
	case -ENOMEM:
		return kIOReturnNoResources; /* the memlock limit, or the host's memory */
	case -EFAULT:
		return kIOReturnVMError;
	case -EOPNOTSUPP:
		return kIOReturnUnsupported;
	default:
		return kIOReturnDMAError;
	}
}

/* Map the request's spans, one after the other, from @iova on; all of them or none. */
static int map_spans(struct vfio_device *device, const struct dma_request *request, uint64_t iova)
{
	uint64_t at = iova;
	int code = 0;

	for (size_t i = 0; i < request->span_count && code == 0; i++) {
		const struct dma_span *span = &request->spans[i];

		code = device->iommu->map(device, at, span->host, span->length, span->writable);
		if (code == 0)
			at += span->length;
	}
	if (code != 0 && at > iova)
		device->iommu->unmap(device, iova, at - iova);
	return code;
}

/* Above the addresses that clients usually choose (guest memory begins at 0). */
#define ANYWHERE_FIRST (UINT64_C(1) << 38)
/* How many addresses are tried before the address space is considered full. */
#define ANYWHERE_TRIES 4096

/*
 * Find a window for the request at @at or above. False: there is none. The last window may end
 * with the address space.
 */
static bool next_place(const struct vfio_device *device, uint64_t length, uint64_t alignment,
	uint64_t at, uint64_t *place)
{
	const struct vfio_iommu_info *info = &device->iommu_info;

	for (size_t i = 0; i < info->window_count; i++) {
		uint64_t first = info->windows[i].first > at ? info->windows[i].first : at;
		uint64_t aligned = (first + alignment - 1) & ~(alignment - 1);

		if (aligned < first || aligned > info->windows[i].last ||
			info->windows[i].last - aligned < length - 1)
			continue;
		*place = aligned;
		return true;
	}
	return false;
}

/* Map at a free address; the kernel rejects addresses in use. dma_lock is held. */
static int map_anywhere(
	struct vfio_device *device, const struct dma_request *request, uint64_t *iova)
{
	uint64_t page = device->iommu_info.page_size;
	uint64_t alignment = request->alignment > page ? request->alignment : page;
	uint64_t at = device->next_free ? device->next_free : ANYWHERE_FIRST;
	int code = -ENOSPC;

	for (unsigned i = 0; i < ANYWHERE_TRIES; i++) {
		if (!next_place(device, request->length, alignment, at, iova)) {
			if (!at)
				return -ENOSPC;
			at = 0; /* an IOMMU whose addresses are narrow, or the end was reached */
			continue;
		}
		code = map_spans(device, request, *iova);
		if (code != -EEXIST && code != -EADDRINUSE)
			break;
		at = *iova + alignment;
	}
	if (code == 0)
		device->next_free = *iova + request->length;
	return code;
}

/* access is held for reading, dma_lock as well. */
static kern_return_t map_request(
	struct vfio_device *device, const struct dma_request *request, struct vfio_mapping *mapping)
{
	uint64_t iova = request->iova;
	int code;

	if (!fits_memlock(device, request->length))
		return kIOReturnNoResources;
	if (device->maps + request->span_count > device->iommu_info.maps_max)
		return kIOReturnNoSpace;
	code = request->anywhere ? map_anywhere(device, request, &iova) :
				   map_spans(device, request, iova);
	if (code != 0) {
		vfio_log(device, "%llu bytes cannot be mapped at bus address %#llx (%s)",
			(unsigned long long)request->length, (unsigned long long)iova,
			strerror(-code));
		return result_of(code);
	}
	mapping->bus_address = iova;
	mapping->length = request->length;
	HASH_ADD(hh, device->mappings, bus_address, sizeof(mapping->bus_address), mapping);
	device->bytes_mapped += request->length;
	device->maps++;
	return kIOReturnSuccess;
}

kern_return_t vfio_dma_map(struct pci_provider *provider, const struct dma_request *request,
	struct dma_segment *segment)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	struct vfio_mapping *mapping = calloc(1, sizeof(*mapping));
	kern_return_t status;

	if (!mapping)
		return kIOReturnNoMemory;
	pthread_rwlock_rdlock(&device->access);
	status = device->removed ? kIOReturnOffline : check_request(device, request);
	if (status == kIOReturnSuccess) {
		pthread_mutex_lock(&device->dma_lock);
		status = map_request(device, request, mapping);
		/* Once the locks are released, an unplug may free the mapping. */
		if (status == kIOReturnSuccess)
			*segment = (struct dma_segment){ mapping->bus_address, mapping->length };
		pthread_mutex_unlock(&device->dma_lock);
	}
	pthread_rwlock_unlock(&device->access);
	if (status != kIOReturnSuccess)
		free(mapping);
	return status;
}

void vfio_dma_unmap(struct pci_provider *provider, const struct dma_segment *segment)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	struct vfio_mapping *mapping;
	int code;

	pthread_rwlock_rdlock(&device->access);
	pthread_mutex_lock(&device->dma_lock);
	HASH_FIND(
		hh, device->mappings, &segment->bus_address, sizeof(segment->bus_address), mapping);
	if (mapping && !device->removed) {
		code = device->iommu->unmap(device, mapping->bus_address, mapping->length);
		if (code != 0)
			vfio_log(device, "bus address %#llx cannot be unmapped (%s)",
				(unsigned long long)mapping->bus_address, strerror(-code));
	}
	if (mapping) {
		HASH_DEL(device->mappings, mapping);
		device->bytes_mapped -= mapping->length;
		device->maps--;
		free(mapping);
	}
	pthread_mutex_unlock(&device->dma_lock);
	pthread_rwlock_unlock(&device->access);
}

void vfio_dma_forget(struct vfio_device *device)
{
	struct vfio_mapping *mapping, *next;

	pthread_mutex_lock(&device->dma_lock);
	HASH_ITER (hh, device->mappings, mapping, next) {
		HASH_DEL(device->mappings, mapping);
		free(mapping);
	}
	device->bytes_mapped = device->maps = 0;
	pthread_mutex_unlock(&device->dma_lock);
}

void vfio_dma_limits(struct pci_provider *provider, struct dma_limits *limits)
{
	struct vfio_device *device = (struct vfio_device *)provider;

	pthread_mutex_lock(&device->dma_lock);
	*limits = (struct dma_limits){
		.kind = DEXT_IOMMU_IDENTITY,
		.bytes = UINT64_MAX,
		.maps = device->iommu_info.maps_max,
		.bytes_used = device->bytes_mapped,
		.maps_used = device->maps,
	};
	pthread_mutex_unlock(&device->dma_lock);
}
