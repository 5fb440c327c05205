/* SPDX-License-Identifier: BSD-3-Clause */
/* A physical device as a provider. */
#include "common/pci-regs.h"
#include "provider/vfio/vfio.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

const struct spec_key vfio_keys[] = {
	{ "host", "DDDD:BB:DD.F", "the host's device, as lspci -D prints it (needed)" },
	{ "addr", "BB:DD.F", "its address for clients (the host's)" },
	{ "iommu", "auto|iommufd|group|noiommu",
		"how it is opened; noiommu gives the device all of the host's memory (auto)" },
	{ "map", "owner|claim",
		"who may map BARs: the service's own user and root, or any client that has claimed "
		"it (owner)" },
	{ NULL, NULL, NULL },
};

/* Lines a second, since a client can cause any number of errors. */
#define LOG_LINES 4

void vfio_log(struct vfio_device *device, const char *format, ...)
{
	uint64_t second = (uint64_t)time(NULL) * 64, seen = atomic_load(&device->last_log), next;
	char text[320];
	va_list args;

	do {
		next = seen >= second && seen < second + 64 ? seen + 1 : second + 1;
		if (next > second + LOG_LINES)
			return;
	} while (!atomic_compare_exchange_weak(&device->last_log, &seen, next));
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "%s: %s\n", device->name, text);
}

void vfio_device_close(struct vfio_device *device)
{
	pthread_rwlock_wrlock(&device->access);
	if (!device->removed) {
		pthread_mutex_lock(&device->irq_lock);
		vfio_irq_disable(device);
		pthread_mutex_unlock(&device->irq_lock);
		device->iommu->close(device);
		device->removed = true;
	}
	pthread_rwlock_unlock(&device->access);
	vfio_dma_forget(device);
}

/* Set D0: a device in D3hot responds to config accesses only (PCI PM 1.2, 5.4). */
static kern_return_t set_d0(struct vfio_device *device)
{
	unsigned pm = vfio_find_capability(device, PCI_CAP_ID_PM);
	uint32_t control;

	if (!pm)
		return kIOReturnSuccess;
	control = vfio_config_get(device, pm + PCI_PM_CTRL, 2);
	if (control & PCI_PM_CTRL_STATE_MASK)
		vfio_config_write(
			&device->provider, pm + PCI_PM_CTRL, 2, control & ~PCI_PM_CTRL_STATE_MASK);
	control = vfio_config_get(device, pm + PCI_PM_CTRL, 2);
	if (!(control & PCI_PM_CTRL_STATE_MASK))
		return kIOReturnSuccess;
	vfio_log(device, "the device stays in D%u: echo on > /sys/bus/pci/devices/%s/power/control",
		control & PCI_PM_CTRL_STATE_MASK, device->address);
	return kIOReturnNotResponding;
}

static kern_return_t vfio_open(struct pci_provider *provider)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	kern_return_t status = kIOReturnOffline;

	pthread_rwlock_rdlock(&device->access);
	if (!device->removed)
		status = set_d0(device);
	pthread_rwlock_unlock(&device->access);
	return status;
}

static void vfio_close(struct pci_provider *provider)
{
	(void)provider; /* stays open: the process may lack the privileges to open it again */
}

static void vfio_watch(struct pci_provider *provider, pci_event_sink sink, void *context)
{
	struct vfio_device *device = (struct vfio_device *)provider;

	/* The event thread runs already. */
	pthread_mutex_lock(&device->irq_lock);
	device->event_context = context;
	device->event_sink = sink;
	pthread_mutex_unlock(&device->irq_lock);
}

/* The kernel writes what the IOMMU stops to its log; VFIO has no call or event for it. */
static uint64_t vfio_dma_faults(struct pci_provider *provider)
{
	(void)provider;
	return UINT64_MAX;
}

static void vfio_destroy(struct pci_provider *provider)
{
	struct vfio_device *device = (struct vfio_device *)provider;

	vfio_events_stop(device);
	if (device->iommu)
		vfio_device_close(device);
	pthread_mutex_destroy(&device->irq_lock);
	pthread_mutex_destroy(&device->dma_lock);
	pthread_rwlock_destroy(&device->access);
	free(device);
}

static const struct pci_provider_ops vfio_provider_ops = {
	.open = vfio_open,
	.close = vfio_close,
	.watch = vfio_watch,
	.config_read = vfio_config_read,
	.config_write = vfio_config_write,
	.bar_read = vfio_bar_read,
	.bar_write = vfio_bar_write,
	.bar_memory = vfio_bar_memory,
	.dma_map = vfio_dma_map,
	.dma_unmap = vfio_dma_unmap,
	.dma_faults = vfio_dma_faults,
	.dma_limits = vfio_dma_limits,
	.irq_setup = vfio_irq_setup,
	.irq_teardown = vfio_irq_teardown,
	.irq_set_eventfds = vfio_irq_set_eventfds,
	.irq_unmask = vfio_irq_unmask,
	.irq_trigger = vfio_irq_trigger,
	.reset = vfio_reset,
	.destroy = vfio_destroy,
};

static struct vfio_device *device_alloc(void)
{
	struct vfio_device *device = calloc(1, sizeof(*device));
	pthread_rwlockattr_t attributes;

	if (!device)
		return NULL;
	device->provider.ops = &vfio_provider_ops;
	device->fd = device->container = device->group = -1;
	device->epoll = device->stop = device->error_event = device->request_event = -1;
	for (unsigned vector = 0; vector < DEXT_VECTORS_MAX; vector++)
		device->triggers[vector] = device->direct[vector] = -1;
	/* Otherwise overlapping accesses could starve an unplug. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&device->access, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	pthread_mutex_init(&device->dma_lock, NULL);
	pthread_mutex_init(&device->irq_lock, NULL);
	return device;
}

static const char *const access_names[] = { "auto", "iommufd", "group", "noiommu", NULL };
static const char *const map_names[] = { "owner", "claim", NULL };

static bool open_device(struct vfio_device *device, const struct vfio_host *host,
	enum vfio_access access, struct spec_error *error)
{
	if (host->device.noiommu && access != VFIO_ACCESS_NOIOMMU)
		return spec_fail(error,
			"vfio: %s is behind no IOMMU (noiommu mode), so its DMA reaches all of the "
			"host's memory: iommu=noiommu if that is meant",
			host->device.address);
	if (!host->device.noiommu && access == VFIO_ACCESS_NOIOMMU)
		return spec_fail(error, "vfio: %s is behind an IOMMU: leave iommu=noiommu out",
			host->device.address);
	if (access == VFIO_ACCESS_AUTO)
		access = vfio_iommufd_offered(host) ? VFIO_ACCESS_IOMMUFD : VFIO_ACCESS_GROUP;
	return access == VFIO_ACCESS_IOMMUFD ?
		       vfio_iommufd_open(device, host, error) :
		       vfio_group_open(device, host, access == VFIO_ACCESS_NOIOMMU, error);
}

/* Query the kernel about the open device. */
static bool load_device(struct vfio_device *device, struct spec_error *error)
{
	int code;

	device->info.argsz = sizeof(device->info);
	if (ioctl(device->fd, VFIO_DEVICE_GET_INFO, &device->info) != 0 ||
		!(device->info.flags & VFIO_DEVICE_FLAGS_PCI))
		return spec_fail(
			error, "vfio: %s is no PCI device to the kernel's VFIO", device->address);
	code = device->iommu->get_info(device, &device->iommu_info);
	if (code != 0)
		return spec_fail(error, "vfio: %s: its IOMMU cannot be asked (%s)", device->address,
			strerror(-code));
	if (!vfio_regions_load(device, error))
		return false;
	if (vfio_config_get(device, PCI_VENDOR_ID, 2) == UINT16_MAX)
		return spec_fail(error,
			"vfio: %s does not answer (config space reads as ones): echo 1 > "
			"/sys/bus/pci/devices/%s/remove; echo 1 > /sys/bus/pci/rescan",
			device->address, device->address);
	return vfio_events_start(device, error);
}

struct pci_provider *vfio_create(const struct device_spec *spec, struct spec_error *error)
{
	const char *text = spec_get(spec, "host");
	struct vfio_device *device;
	unsigned access, map;
	struct vfio_host host;

	if (!spec_check(spec, vfio_keys, error) ||
		!spec_get_word(spec, "iommu", access_names, VFIO_ACCESS_AUTO, &access, error) ||
		!spec_get_word(spec, "map", map_names, 0, &map, error))
		return NULL;
	if (!text) {
		spec_invalid(error, "vfio: no device: host=ADDRESS, as in host=0000:01:00.0");
		return NULL;
	}
	if (!vfio_host_look(text, &host, error))
		return NULL;
	if (spec_get(spec, "addr") && !spec_get_address(spec, &host.pci, error))
		return NULL;
	device = device_alloc();
	if (!device) {
		spec_fail(error, "out of memory");
		return NULL;
	}
	device->provider.address = host.pci;
	device->map_for_owner_only = map == 0;
	memcpy(device->address, host.device.address, sizeof(device->address));
	snprintf(device->name, sizeof(device->name), "vfio %s", device->address);
	if (!open_device(device, &host, (enum vfio_access)access, error) ||
		!load_device(device, error)) {
		if (device->fd < 0)
			device->iommu = NULL; /* nothing is open */
		vfio_destroy(&device->provider);
		return NULL;
	}
	return &device->provider;
}
