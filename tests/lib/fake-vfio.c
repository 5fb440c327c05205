/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/fake-vfio.h"

#include "common/host-pci.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fake-sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CONFIG_SIZE 256
#define BAR_OFFSET  4096

#define IOAS_MAP   _IO(';', 0x85)
#define IOAS_UNMAP _IO(';', 0x86)
#define IOAS_ID	   42u

struct fake_vfio fake_vfio;

static bool is_vfio(const char *path)
{
	return strncmp(path, "/dev/vfio/", 10) == 0 || strcmp(path, "/dev/iommu") == 0;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	if (!is_vfio(path))
		return __real_open64(path, flags, mode);
	if (fake_vfio.unopenable && strcmp(path, fake_vfio.unopenable) == 0) {
		errno = fake_vfio.open_error;
		return -1;
	}
	return dup(fake_vfio.device);
}

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
	if (!is_vfio(path))
		return __real_access(path, mode);
	return fake_vfio.has_iommufd ? 0 : -1;
}

ssize_t __real_pread64(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset)
{
	if (offset < BAR_OFFSET || !fake_vfio.bar_error)
		return __real_pread64(fd, data, size, offset);
	errno = fake_vfio.bar_error;
	return -1;
}

ssize_t __real_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset)
{
	return fake_vfio.is_stuck ? (ssize_t)size : __real_pwrite64(fd, data, size, offset);
}

static int region_info(struct vfio_region_info *info)
{
	if (info->index == VFIO_PCI_CONFIG_REGION_INDEX)
		info->size = CONFIG_SIZE;
	else if (info->index == VFIO_PCI_BAR0_REGION_INDEX)
		info->size = BAR_OFFSET;
	else
		info->size = 0;
	info->offset = info->index == VFIO_PCI_BAR0_REGION_INDEX ? BAR_OFFSET : 0;
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	return 0;
}

static int set_irqs(const struct vfio_irq_set *set)
{
	if (set->index == VFIO_PCI_REQ_IRQ_INDEX && set->count)
		memcpy(&fake_vfio.request, set->data, sizeof(fake_vfio.request));
	return 0;
}

/* Addresses below 2^39, but for those of interrupts. */
static int iommu_info(struct vfio_iommu_type1_info *info)
{
	struct {
		struct vfio_iommu_type1_info_cap_iova_range head;
		struct vfio_iova_range ranges[2];
	} windows = {
		.head = { .header = { .id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE }, .nr_iovas = 2 },
		.ranges = { { 0, 0xfedfffff }, { 0xfef00000, (UINT64_C(1) << 39) - 1 } },
	};
	uint32_t size = sizeof(*info) + sizeof(windows);

	info->flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info->iova_pgsizes = 4096 | 2 << 20;
	if (info->argsz >= size) {
		info->cap_offset = sizeof(*info);
		memcpy((char *)info + sizeof(*info), &windows, sizeof(windows));
	}
	info->argsz = size;
	return 0;
}

static int mapped(unsigned flags, uint64_t iova, uint64_t length)
{
	fake_vfio.maps++;
	fake_vfio.map_flags = flags;
	fake_vfio.iova = iova;
	fake_vfio.length = length;
	return 0;
}

static int unmapped(uint64_t iova, uint64_t length)
{
	assert_int_equal(iova, fake_vfio.iova);
	assert_int_equal(length, fake_vfio.length);
	fake_vfio.unmaps++;
	return 0;
}

static int iommufd_ioctl(unsigned long request, void *argument)
{
	uint32_t *words = argument; /* each begins with its size */
	uint64_t *longs = argument;

	switch (request) {
	case FAKE_DEVICE_BIND:
	case FAKE_DEVICE_ATTACH:
		assert_true(request == FAKE_DEVICE_BIND || words[2] == IOAS_ID);
		return 0;
	case FAKE_IOAS_ALLOC:
		words[2] = IOAS_ID;
		return 0;
	case FAKE_IOAS_RANGES:
		assert_int_equal(words[1], IOAS_ID);
		((uint64_t *)(uintptr_t)longs[2])[0] = 0;
		((uint64_t *)(uintptr_t)longs[2])[1] = 0xfedfffff;
		words[2] = 1;
		longs[3] = 1;
		return 0;
	case IOAS_MAP:
		assert_int_equal(words[2], IOAS_ID);
		return mapped(words[1], longs[4], longs[3]);
	case IOAS_UNMAP:
		assert_int_equal(words[1], IOAS_ID);
		return unmapped(longs[1], longs[2]);
	default:
		fail();
		return -1;
	}
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct vfio_iommu_type1_dma_unmap *unmap;
	struct vfio_iommu_type1_dma_map *map;
	va_list args;
	void *argument;

	(void)fd;
	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (fake_vfio.error && request == fake_vfio.failing) {
		errno = fake_vfio.error;
		return -1;
	}
	map = argument;
	unmap = argument;
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)argument)->flags = fake_vfio.group_flags;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
	case VFIO_SET_IOMMU:
	case VFIO_DEVICE_RESET:
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return dup(fake_vfio.device);
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)argument)->flags = fake_vfio.device_flags;
		((struct vfio_device_info *)argument)->num_irqs = VFIO_PCI_NUM_IRQS;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(argument);
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)argument)->count = 1;
		return 0;
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(argument);
	case VFIO_IOMMU_GET_INFO:
		return iommu_info(argument);
	case VFIO_IOMMU_MAP_DMA:
		return mapped(map->flags, map->iova, map->size);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmapped(unmap->iova, unmap->size);
	default:
		return iommufd_ioctl(request, argument);
	}
}

void fake_vfio_set_config(unsigned offset, uint32_t value)
{
	assert_int_equal(__real_pwrite64(fake_vfio.device, &value, 4, offset), 4);
}

int fake_vfio_setup(void **state)
{
	int device = memfd_create("device", MFD_CLOEXEC);

	(void)state;
	memset(&fake_vfio, 0, sizeof(fake_vfio));
	fake_vfio.device = device;
	fake_vfio.group_flags = VFIO_GROUP_FLAGS_VIABLE;
	fake_vfio.device_flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	assert_int_equal(ftruncate(device, (off_t)2 * BAR_OFFSET), 0);
	fake_vfio_set_config(0x00, 0xa808144d);
	fake_vfio_set_config(0x04, 0x00100006); /* a capability list; memory space, bus mastering */
	fake_vfio_set_config(0x34, FAKE_VFIO_PM);
	fake_vfio_set_config(FAKE_VFIO_PM, 0x00030001);
	host_pci_paths = *fake_sysfs_create();
	fake_sysfs_add(&(struct fake_pci){ FAKE_VFIO_DISK, 0x144da808, 0x010802, "vfio-pci", 7 });
	fake_sysfs_add(&(struct fake_pci){ FAKE_VFIO_NIC, 0x808610d3, 0x020000, NULL, 7 });
	return 0;
}

int fake_vfio_teardown(void **state)
{
	(void)state;
	close(fake_vfio.device);
	fake_sysfs_remove();
	return 0;
}
