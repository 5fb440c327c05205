/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device opened by its cdev, with an address space of iommufd (Linux 6.6 and later). Debian
 * 12's headers are older than the interface, so this file defines numbers and layouts.
 */
#include "provider/vfio/vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define IOMMUFD_PATH "/dev/iommu"

/* linux/vfio.h */
struct bind_iommufd {
	uint32_t argsz, flags;
	int32_t iommufd;
	uint32_t out_devid;
};
struct attach_iommufd_pt {
	uint32_t argsz, flags;
	uint32_t pt_id;
};
#define DEVICE_BIND_IOMMUFD	 _IO(VFIO_TYPE, VFIO_BASE + 18)
#define DEVICE_ATTACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 19)

/* linux/iommufd.h */
struct ioas_alloc {
	uint32_t size, flags;
	uint32_t out_ioas_id;
};
struct iova_range {
	uint64_t start, last;
};
struct ioas_iova_ranges {
	uint32_t size, ioas_id;
	uint32_t num_iovas, reserved;
	uint64_t allowed_iovas;
	uint64_t out_iova_alignment;
};
struct ioas_map {
	uint32_t size, flags;
	uint32_t ioas_id, reserved;
	uint64_t user_va, length, iova;
};
struct ioas_unmap {
	uint32_t size, ioas_id;
	uint64_t iova, length;
};
#define IOMMUFD_TYPE	 ';'
#define IOAS_ALLOC	 _IO(IOMMUFD_TYPE, 0x81)
#define IOAS_IOVA_RANGES _IO(IOMMUFD_TYPE, 0x84)
#define IOAS_MAP	 _IO(IOMMUFD_TYPE, 0x85)
#define IOAS_UNMAP	 _IO(IOMMUFD_TYPE, 0x86)
#define MAP_FIXED_IOVA	 0x1u
#define MAP_WRITEABLE	 0x2u
#define MAP_READABLE	 0x4u

bool vfio_iommufd_offered(const struct vfio_host *host)
{
	return *host->cdev && access(IOMMUFD_PATH, R_OK | W_OK) == 0 &&
	       access(host->cdev, R_OK | W_OK) == 0;
}

static void iommufd_close(struct vfio_device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	if (device->container >= 0)
		close(device->container);
	device->fd = device->container = -1;
}

bool vfio_iommufd_open(
	struct vfio_device *device, const struct vfio_host *host, struct spec_error *error)
{
	struct bind_iommufd bind = { .argsz = sizeof(bind) };
	struct ioas_alloc alloc = { .size = sizeof(alloc) };
	struct attach_iommufd_pt attach = { .argsz = sizeof(attach) };

	device->iommu = &vfio_iommufd_ops;
	if (!*host->cdev)
		return spec_fail(error,
			"vfio: %s has no /dev/vfio/devices/vfioN: the kernel is older than 6.6 or "
			"built without it; iommu=group works with any",
			host->device.address);
	device->container = open(IOMMUFD_PATH, O_RDWR | O_CLOEXEC);
	if (device->container < 0) {
		vfio_host_not_opened(host, IOMMUFD_PATH, errno, error);
		goto fail;
	}
	device->fd = open(host->cdev, O_RDWR | O_CLOEXEC);
	if (device->fd < 0) {
		vfio_host_not_opened(host, host->cdev, errno, error);
		goto fail;
	}
	bind.iommufd = device->container;
	if (ioctl(device->fd, DEVICE_BIND_IOMMUFD, &bind) != 0) {
		/* Another member of the group has another owner, or the device has. */
		if (errno == EBUSY || errno == EINVAL || errno == EPERM)
			vfio_host_not_viable(host, error);
		else
			vfio_host_not_opened(host, host->cdev, errno, error);
		goto fail;
	}
	if (ioctl(device->container, IOAS_ALLOC, &alloc) != 0) {
		vfio_host_not_opened(host, IOMMUFD_PATH, errno, error);
		goto fail;
	}
	device->ioas = alloc.out_ioas_id;
	attach.pt_id = device->ioas;
	if (ioctl(device->fd, DEVICE_ATTACH_IOMMUFD_PT, &attach) != 0) {
		spec_fail(error, "vfio: %s cannot be given an address space (%s)",
			host->device.address, strerror(errno));
		goto fail;
	}
	return true;
fail:
	iommufd_close(device);
	return false;
}

static int iommufd_get_info(struct vfio_device *device, struct vfio_iommu_info *info)
{
	struct iova_range ranges[VFIO_WINDOWS_MAX];
	struct ioas_iova_ranges query = {
		.size = sizeof(query),
		.ioas_id = device->ioas,
		.num_iovas = VFIO_WINDOWS_MAX,
		.allowed_iovas = (uintptr_t)ranges,
	};

	/* If there are more ranges than windows, the kernel fills in the first ones. */
	if (ioctl(device->container, IOAS_IOVA_RANGES, &query) != 0 && errno != EMSGSIZE)
		return -errno;
	*info = (struct vfio_iommu_info){
		.page_size = query.out_iova_alignment,
		.maps_max = UINT64_MAX,
	};
	/* The alignment can be a byte where the IOMMU has not been asked yet; pages are what is mapped. */
	if (info->page_size < 4096)
		info->page_size = 4096;
	for (uint32_t i = 0; i < query.num_iovas && i < VFIO_WINDOWS_MAX; i++)
		info->windows[info->window_count++] =
			(struct vfio_window){ ranges[i].start, ranges[i].last };
	return 0;
}

static int iommufd_map(
	struct vfio_device *device, uint64_t iova, void *address, uint64_t length, bool writable)
{
	struct ioas_map map = {
		.size = sizeof(map),
		.flags = MAP_FIXED_IOVA | MAP_READABLE | (writable ? MAP_WRITEABLE : 0),
		.ioas_id = device->ioas,
		.user_va = (uintptr_t)address,
		.length = length,
		.iova = iova,
	};

	return ioctl(device->container, IOAS_MAP, &map) == 0 ? 0 : -errno;
}

static int iommufd_unmap(struct vfio_device *device, uint64_t iova, uint64_t length)
{
	struct ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = device->ioas,
		.iova = iova,
		.length = length,
	};

	return ioctl(device->container, IOAS_UNMAP, &unmap) == 0 ? 0 : -errno;
}

const struct vfio_iommu_ops vfio_iommufd_ops = {
	.name = "iommufd",
	.get_info = iommufd_get_info,
	.map = iommufd_map,
	.unmap = iommufd_unmap,
	.close = iommufd_close,
};
