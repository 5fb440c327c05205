/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space and BARs: regions of the device's file (linux/vfio.h, VFIO_DEVICE_GET_REGION_INFO). */
#include "common/pci-capability.h"
#include "common/pci-regs.h"
#include "provider/vfio/vfio.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static uint64_t all_ones(unsigned width)
{
	return UINT64_MAX >> (64 - 8 * width);
}

/* PCI is little-endian. */
static uint64_t from_bytes(const unsigned char *bytes, unsigned width)
{
	uint64_t value = 0;

	while (width)
		value = value << 8 | bytes[--width];
	return value;
}

static void to_bytes(unsigned char *bytes, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
}

/* One access. The kernel executes an aligned one of 1, 2, 4 or 8 bytes as a single access. */
static bool region_read(const struct vfio_device *device, const struct vfio_region *region,
	uint64_t offset, unsigned width, uint64_t *value)
{
	unsigned char bytes[8];

	if (pread(device->fd, bytes, width, (off_t)(region->offset + offset)) != (ssize_t)width) {
		*value = all_ones(width);
		return false;
	}
	*value = from_bytes(bytes, width);
	return true;
}

static bool region_write(const struct vfio_device *device, const struct vfio_region *region,
	uint64_t offset, unsigned width, uint64_t value)
{
	unsigned char bytes[8];

	to_bytes(bytes, width, value);
	return pwrite(device->fd, bytes, width, (off_t)(region->offset + offset)) == (ssize_t)width;
}

uint32_t vfio_config_get(struct vfio_device *device, unsigned offset, unsigned width)
{
	uint64_t value;

	region_read(device, &device->config, offset, width, &value);
	return (uint32_t)value;
}

static bool load_region(struct vfio_device *device, unsigned index, struct vfio_region *region)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &info) != 0)
		return false;
	*region = (struct vfio_region){
		.size = info.size,
		.offset = info.offset,
		.can_map = info.flags & VFIO_REGION_INFO_FLAG_MMAP,
	};
	return true;
}

static bool read_config(void *device, uint32_t offset, uint32_t width, uint32_t *value)
{
	*value = vfio_config_get(device, offset, width);
	return true;
}

unsigned vfio_find_capability(struct vfio_device *device, uint8_t id)
{
	return pci_find_capability(read_config, device, id);
}

/* Clients must not map the pages of the MSI-X table, which the host owns. */
static void find_msix_table(struct vfio_device *device)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned at = vfio_find_capability(device, PCI_CAP_ID_MSIX), size;
	uint32_t table;

	if (!at)
		return;
	size = (vfio_config_get(device, at + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1;
	table = vfio_config_get(device, at + PCI_MSIX_TABLE, 4);
	if ((table & 7) >= DEXT_BARS)
		return;
	device->msix_table.bar = table & 7;
	device->msix_table.first = (table & ~7u) & ~(page - 1);
	device->msix_table.end = ((table & ~7u) + 16 * (uint64_t)size + page - 1) & ~(page - 1);
}

bool vfio_regions_load(struct vfio_device *device, struct spec_error *error)
{
	struct pci_provider *provider = &device->provider;

	if (!load_region(device, VFIO_PCI_CONFIG_REGION_INDEX, &device->config))
		return spec_fail(error, "vfio: %s has no config space (%s)", device->address,
			strerror(errno));
	for (unsigned bar = 0; bar < DEXT_BARS; bar++) {
		uint32_t low;

		if (!load_region(device, VFIO_PCI_BAR0_REGION_INDEX + bar, &device->bars[bar]))
			return spec_fail(error, "vfio: %s: BAR %u cannot be looked at (%s)",
				device->address, bar, strerror(errno));
		if (!device->bars[bar].size)
			continue;
		low = vfio_config_get(device, PCI_BASE_ADDRESS_0 + 4 * bar, 4);
		provider->bars[bar] = (struct pci_bar){
			.implemented = true,
			.type = (uint8_t)(low & DEXT_BAR_IO ?
						  DEXT_BAR_IO :
						  low & (DEXT_BAR_MEM64 | DEXT_BAR_PREFETCHABLE)),
			.size = device->bars[bar].size,
		};
	}
	find_msix_table(device);
	return true;
}

kern_return_t vfio_config_read(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t *value)
{
	struct vfio_device *device = (struct vfio_device *)provider;

	*value = (uint32_t)all_ones(width);
	pthread_rwlock_rdlock(&device->access);
	/* What is past the end of a conventional device's 256 bytes reads as zero, as in sysfs. */
	if (!device->removed)
		*value = offset < device->config.size ? vfio_config_get(device, offset, width) : 0;
	pthread_rwlock_unlock(&device->access);
	return kIOReturnSuccess;
}

kern_return_t vfio_config_write(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t value)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	bool written = true;

	pthread_rwlock_rdlock(&device->access);
	if (!device->removed && offset < device->config.size)
		written = region_write(device, &device->config, offset, width, value);
	pthread_rwlock_unlock(&device->access);
	return written ? kIOReturnSuccess : kIOReturnIOError;
}

/* The kernel fails accesses to a BAR that is disabled in COMMAND, or of a device in D3. */
static void log_access(struct vfio_device *device, unsigned bar, const char *what)
{
	vfio_log(device,
		"BAR %u: %s failed (%s): memory space is disabled, or the device is not in D0", bar,
		what, strerror(errno));
}

kern_return_t vfio_bar_read(struct pci_provider *provider, unsigned bar, uint64_t offset,
	unsigned width, uint64_t *value)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	kern_return_t status = kIOReturnSuccess;

	*value = all_ones(width);
	pthread_rwlock_rdlock(&device->access);
	if (!device->removed && !region_read(device, &device->bars[bar], offset, width, value)) {
		log_access(device, bar, "read");
		status = kIOReturnIOError;
	}
	pthread_rwlock_unlock(&device->access);
	return status;
}

/* Whether an access would reach the MSI-X table. */
static bool in_msix_table(const struct vfio_device *device, unsigned bar, uint64_t offset)
{
	return bar == device->msix_table.bar && offset >= device->msix_table.first &&
	       offset < device->msix_table.end;
}

kern_return_t vfio_bar_write(struct pci_provider *provider, unsigned bar, uint64_t offset,
	unsigned width, uint64_t value)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	kern_return_t status = kIOReturnSuccess;

	pthread_rwlock_rdlock(&device->access);
	if (!device->removed && !in_msix_table(device, bar, offset) &&
		!region_write(device, &device->bars[bar], offset, width, value)) {
		log_access(device, bar, "write");
		status = kIOReturnIOError;
	}
	pthread_rwlock_unlock(&device->access);
	return status;
}

/*
 * The BAR is mapped from the device's descriptor, with which a process can also execute all
 * ioctls of a VFIO device: docs/vfio.md says which clients get it.
 */
kern_return_t vfio_bar_memory(
	struct pci_provider *provider, unsigned bar, struct pci_bar_memory *memory)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	kern_return_t status = kIOReturnSuccess;

	pthread_rwlock_rdlock(&device->access);
	if (device->removed)
		status = kIOReturnOffline;
	else if (!device->bars[bar].can_map)
		status = kIOReturnNotReady;
	else
		*memory = (struct pci_bar_memory){
			.fd = device->fd,
			.offset = device->bars[bar].offset,
			.owner_only = device->map_for_owner_only,
		};
	if (status == kIOReturnSuccess && bar == device->msix_table.bar && device->msix_table.end) {
		memory->hole = device->msix_table.first;
		memory->hole_size = device->msix_table.end - device->msix_table.first;
		if (memory->hole + memory->hole_size > device->bars[bar].size)
			memory->hole_size = device->bars[bar].size - memory->hole;
	}
	pthread_rwlock_unlock(&device->access);
	return status;
}
