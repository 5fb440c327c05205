/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A physical device, through Linux VFIO (Documentation/driver-api/vfio.rst of the kernel).
 * The kernel owns the device's config space, interrupts and IOMMU.
 *
 *   host.c     a host device in sysfs, and why it cannot be opened
 *   group.c    opening it by IOMMU group and container (type 1)
 *   iommufd.c  opening it by its cdev and iommufd
 *   dma.c      mappings of client memory
 *   region.c   config space and BARs
 *   irq.c      interrupts, and the kernel's error and request events
 *   reset.c    resets
 *   device.c   the provider itself
 */
#ifndef PROVIDER_VFIO_VFIO_H
#define PROVIDER_VFIO_VFIO_H

#include "common/host-pci.h"
#include "common/pci-address.h"
#include "driver/provider.h"
#include "provider/spec.h"

#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>

/* How a device was opened. Which one a host offers depends on its kernel. */
enum vfio_access {
	VFIO_ACCESS_AUTO, /* iommufd where the host has it, else group */
	VFIO_ACCESS_IOMMUFD,
	VFIO_ACCESS_GROUP,
	VFIO_ACCESS_NOIOMMU, /* a group without IOMMU protection: only when asked for by name */
};

/* Bus addresses that the IOMMU can translate: [first, last]. */
struct vfio_window {
	uint64_t first, last;
};
#define VFIO_WINDOWS_MAX 32

/* The device's IOMMU, as reported by the kernel. */
struct vfio_iommu_info {
	uint64_t page_size; /* the smallest that can be mapped */
	uint64_t maps_max;  /* UINT64_MAX: no limit known */
	size_t window_count;
	struct vfio_window windows[VFIO_WINDOWS_MAX]; /* ascending */
};

struct vfio_device;

/* The kernel's two interfaces to an IOMMU. Each returns 0 or a negative errno. */
struct vfio_iommu_ops {
	const char *name;
	int (*get_info)(struct vfio_device *device, struct vfio_iommu_info *info);
	int (*map)(struct vfio_device *device, uint64_t iova, void *address, uint64_t length,
		bool writable);
	/* Unmap [iova, iova + length). When it returns the device cannot access it. */
	int (*unmap)(struct vfio_device *device, uint64_t iova, uint64_t length);
	/* Close what open has opened. */
	void (*close)(struct vfio_device *device);
};
extern const struct vfio_iommu_ops vfio_group_ops, vfio_iommufd_ops, vfio_noiommu_ops;

/* A BAR, I/O or memory, or the expansion ROM. */
struct vfio_region {
	uint64_t size;	 /* 0: absent */
	uint64_t offset; /* in the device's file */
	bool can_map;
};

struct vfio_mapping;

struct vfio_device {
	struct pci_provider provider; /* first: the device is the provider */
	char address[HOST_PCI_ADDRESS_SIZE];
	char name[48];		 /* "vfio 0000:01:00.0", for log lines */
	bool map_for_owner_only; /* BAR memory is for the service's own user and root */

	/*
	 * The descriptors, valid unless `removed`. A user of them holds access for
	 * reading; they are closed with access held for writing. access is taken first.
	 */
	pthread_rwlock_t access;
	bool removed;  /* unplugged; never reset to false */
	int fd;	       /* the device */
	int container; /* or the iommufd */
	int group;     /* -1 with iommufd */
	uint32_t ioas; /* iommufd: the address space */
	const struct vfio_iommu_ops *iommu;
	struct vfio_iommu_info iommu_info;

	struct vfio_device_info info;
	struct vfio_region config, bars[DEXT_BARS];
	struct {
		unsigned bar;
		uint64_t first, end; /* whole pages of that BAR; end is 0 without MSI-X */
	} msix_table;

	/* dma_lock guards mappings and the counters; it is held over the kernel's calls. */
	pthread_mutex_t dma_lock;
	struct vfio_mapping *mappings; /* by bus address: uthash */
	uint64_t bytes_mapped, maps;
	uint64_t next_free; /* where to look for a free bus address */

	/* irq_lock guards the route, during whose sink it is held, and the event sink below. */
	pthread_mutex_t irq_lock;
	pci_irq_sink sink; /* NULL: not set up */
	void *sink_context;
	unsigned irq_index; /* VFIO_PCI_INTX_IRQ_INDEX, ... */
	unsigned vectors;
	int triggers[DEXT_VECTORS_MAX]; /* eventfds; -1 beyond `vectors` */
	/* The clients' eventfds that the kernel signals instead; -1: the trigger. */
	int direct[DEXT_VECTORS_MAX];

	/* The thread that waits for interrupts and events, and the eventfd that ends it. */
	pthread_t thread;
	bool thread_started;
	int epoll, stop, error_event, request_event;
	pci_event_sink event_sink;
	void *event_context;

	atomic_uint_fast64_t last_log;
};

/* host.c */

struct vfio_host {
	struct host_pci device;
	struct pci_address pci;
	char cdev[64]; /* "/dev/vfio/devices/vfio0"; "" for none */
};

/**
 * vfio_host_look - find a host device in sysfs
 * @text: its address as lspci prints it, with or without the domain
 *
 * Return: true; false with @error filled in when there is no such device, it is a bridge, or it
 * is not bound to vfio-pci: each with the command that helps.
 */
bool vfio_host_look(const char *text, struct vfio_host *host, struct spec_error *error);
/* Say why the group of a host device is not viable. Return: false. */
bool vfio_host_not_viable(const struct vfio_host *host, struct spec_error *error);
/* Say why a file of /dev/vfio cannot be opened, from an errno. Return: false. */
bool vfio_host_not_opened(
	const struct vfio_host *host, const char *path, int code, struct spec_error *error);

/* group.c, iommufd.c: open the device; on failure nothing stays open. */
bool vfio_group_open(struct vfio_device *device, const struct vfio_host *host, bool noiommu,
	struct spec_error *error);
bool vfio_iommufd_open(
	struct vfio_device *device, const struct vfio_host *host, struct spec_error *error);
/* iommufd.c: whether kernel and device offer it. */
bool vfio_iommufd_offered(const struct vfio_host *host);

/* region.c: query the kernel about config space and BARs. */
bool vfio_regions_load(struct vfio_device *device, struct spec_error *error);
/* region.c: a register of config space, whatever the state of the device; all ones on failure. */
uint32_t vfio_config_get(struct vfio_device *device, unsigned offset, unsigned width);

/* region.c: the offset of a capability in config space; 0: there is none. */
unsigned vfio_find_capability(struct vfio_device *device, uint8_t id);

/* irq.c: the thread. The device is open. */
bool vfio_events_start(struct vfio_device *device, struct spec_error *error);
void vfio_events_stop(struct vfio_device *device);
/* irq.c: disable all interrupts of the device. irq_lock is held. */
void vfio_irq_disable(struct vfio_device *device);

/* dma.c: forget all mappings; the kernel's have ended with the descriptors. */
void vfio_dma_forget(struct vfio_device *device);

/* device.c: close the descriptors after an unplug, so that the kernel's removal goes on. */
void vfio_device_close(struct vfio_device *device);
/* device.c: one line on standard error, after the device's name; at most a few a second. */
void vfio_log(struct vfio_device *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The provider's functions, by file. */
kern_return_t vfio_config_read(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t *value);
kern_return_t vfio_config_write(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t value);
kern_return_t vfio_bar_read(struct pci_provider *provider, unsigned bar, uint64_t offset,
	unsigned width, uint64_t *value);
kern_return_t vfio_bar_write(struct pci_provider *provider, unsigned bar, uint64_t offset,
	unsigned width, uint64_t value);
kern_return_t vfio_bar_memory(
	struct pci_provider *provider, unsigned bar, struct pci_bar_memory *memory);
kern_return_t vfio_dma_map(struct pci_provider *provider, const struct dma_request *request,
	struct dma_segment *segment);
void vfio_dma_unmap(struct pci_provider *provider, const struct dma_segment *segment);
void vfio_dma_limits(struct pci_provider *provider, struct dma_limits *limits);
kern_return_t vfio_irq_setup(struct pci_provider *provider, enum dext_interrupt_kind kind,
	unsigned vectors, pci_irq_sink sink, void *context);
void vfio_irq_teardown(struct pci_provider *provider);
kern_return_t vfio_irq_set_eventfds(
	struct pci_provider *provider, unsigned first, unsigned count, const int *fds);
void vfio_irq_unmask(struct pci_provider *provider);
kern_return_t vfio_irq_trigger(struct pci_provider *provider, unsigned vector);
kern_return_t vfio_reset(struct pci_provider *provider, enum pci_reset kind);

/* device.c: create a device of a parsed specification; NULL with @error filled in. */
struct pci_provider *vfio_create(const struct device_spec *spec, struct spec_error *error);
/* The keys of a specification; ends with a NULL name. */
extern const struct spec_key vfio_keys[];

#endif
