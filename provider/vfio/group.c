/* SPDX-License-Identifier: BSD-3-Clause */
/* A device opened by its IOMMU group, in a container of its own with a type 1 IOMMU. */
#include "provider/vfio/vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CONTAINER_PATH "/dev/vfio/vfio"

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void group_close(struct vfio_device *device)
{
	close_fd(&device->fd);
	close_fd(&device->group);
	close_fd(&device->container);
}

static bool open_group(struct vfio_device *device, const struct vfio_host *host, bool noiommu,
	struct spec_error *error)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[64];

	device->container = open(CONTAINER_PATH, O_RDWR | O_CLOEXEC);
	if (device->container < 0)
		return vfio_host_not_opened(host, CONTAINER_PATH, errno, error);
	if (ioctl(device->container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		return spec_fail(error, "vfio: " CONTAINER_PATH ": not version %d of the interface",
			VFIO_API_VERSION);
	snprintf(path, sizeof(path), "/dev/vfio/%s%d", noiommu ? "noiommu-" : "",
		host->device.group);
	device->group = open(path, O_RDWR | O_CLOEXEC);
	if (device->group < 0)
		return vfio_host_not_opened(host, path, errno, error);
	if (ioctl(device->group, VFIO_GROUP_GET_STATUS, &status) != 0)
		return vfio_host_not_opened(host, path, errno, error);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return vfio_host_not_viable(host, error);
	if (ioctl(device->group, VFIO_GROUP_SET_CONTAINER, &device->container) != 0)
		return vfio_host_not_opened(host, path, errno, error);
	return true;
}

bool vfio_group_open(struct vfio_device *device, const struct vfio_host *host, bool noiommu,
	struct spec_error *error)
{
	unsigned long type = noiommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU;

	device->iommu = noiommu ? &vfio_noiommu_ops : &vfio_group_ops;
	if (!open_group(device, host, noiommu, error))
		goto fail;
	if (ioctl(device->container, VFIO_SET_IOMMU, type) != 0) {
		spec_fail(error, "vfio: %s: %s cannot be set up (%s): modprobe vfio_iommu_type1",
			host->device.address, noiommu ? "the noiommu mode" : "a type 1 IOMMU",
			strerror(errno));
		goto fail;
	}
	device->fd = ioctl(device->group, VFIO_GROUP_GET_DEVICE_FD, host->device.address);
	if (device->fd < 0) {
		spec_fail(error, "vfio: %s cannot be opened in its IOMMU group (%s)",
			host->device.address, strerror(errno));
		goto fail;
	}
	fcntl(device->fd, F_SETFD, FD_CLOEXEC);
	return true;
fail:
	group_close(device);
	return false;
}

/* The capability @id in what an ioctl has filled in, whose chain begins at @at; or NULL. */
static const void *find_capability(const void *info, uint32_t size, uint32_t at, uint16_t id)
{
	const struct vfio_info_cap_header *header;

	while (at && at <= size - sizeof(*header)) {
		header = (const void *)((const char *)info + at);
		if (header->id == id)
			return header;
		if (header->next <= at)
			return NULL;
		at = header->next;
	}
	return NULL;
}

static void copy_windows(
	struct vfio_iommu_info *info, const struct vfio_iommu_type1_info_cap_iova_range *ranges)
{
	for (uint32_t i = 0; i < ranges->nr_iovas && info->window_count < VFIO_WINDOWS_MAX; i++)
		info->windows[info->window_count++] =
			(struct vfio_window){ ranges->iova_ranges[i].start,
				ranges->iova_ranges[i].end };
}

static int group_get_info(struct vfio_device *device, struct vfio_iommu_info *info)
{
	const struct vfio_iommu_type1_info_dma_avail *available;
	const struct vfio_iommu_type1_info_cap_iova_range *ranges;
	struct vfio_iommu_type1_info head = { .argsz = sizeof(head) }, *full;
	uint32_t size;

	if (ioctl(device->container, VFIO_IOMMU_GET_INFO, &head) != 0)
		return -errno;
	size = head.argsz < sizeof(head) ? (uint32_t)sizeof(head) : head.argsz;
	full = calloc(1, size);
	if (!full)
		return -ENOMEM;
	full->argsz = size;
	if (ioctl(device->container, VFIO_IOMMU_GET_INFO, full) != 0) {
		free(full);
		return -errno;
	}
	*info = (struct vfio_iommu_info){ .page_size = 4096, .maps_max = UINT64_MAX };
	if ((full->flags & VFIO_IOMMU_INFO_PGSIZES) && full->iova_pgsizes)
		info->page_size = full->iova_pgsizes & -full->iova_pgsizes;
	if (full->flags & VFIO_IOMMU_INFO_CAPS) {
		ranges = find_capability(
			full, size, full->cap_offset, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
		available = find_capability(
			full, size, full->cap_offset, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
		if (ranges)
			copy_windows(info, ranges);
		if (available)
			info->maps_max = available->avail;
	}
	if (!info->window_count)
		info->windows[info->window_count++] = (struct vfio_window){ 0, UINT64_MAX };
	free(full);
	return 0;
}

static int group_map(
	struct vfio_device *device, uint64_t iova, void *address, uint64_t length, bool writable)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | (writable ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = (uintptr_t)address,
		.iova = iova,
		.size = length,
	};

	return ioctl(device->container, VFIO_IOMMU_MAP_DMA, &map) == 0 ? 0 : -errno;
}

static int group_unmap(struct vfio_device *device, uint64_t iova, uint64_t length)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = length,
	};

	return ioctl(device->container, VFIO_IOMMU_UNMAP_DMA, &unmap) == 0 ? 0 : -errno;
}

const struct vfio_iommu_ops vfio_group_ops = {
	.name = "group",
	.get_info = group_get_info,
	.map = group_map,
	.unmap = group_unmap,
	.close = group_close,
};

/* Without an IOMMU there are no mappings: the device reaches all of the host's memory. */
static int noiommu_get_info(struct vfio_device *device, struct vfio_iommu_info *info)
{
	(void)device;
	*info = (struct vfio_iommu_info){ .page_size = 4096 };
	return 0;
}

static int noiommu_map(
	struct vfio_device *device, uint64_t iova, void *address, uint64_t length, bool writable)
{
	(void)device, (void)iova, (void)address, (void)length, (void)writable;
	return -EOPNOTSUPP;
}

static int noiommu_unmap(struct vfio_device *device, uint64_t iova, uint64_t length)
{
	(void)device, (void)iova, (void)length;
	return -EOPNOTSUPP;
}

const struct vfio_iommu_ops vfio_noiommu_ops = {
	.name = "noiommu",
	.get_info = noiommu_get_info,
	.map = noiommu_map,
	.unmap = noiommu_unmap,
	.close = group_close,
};
