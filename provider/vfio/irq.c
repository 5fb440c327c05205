/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts and events: eventfds that the kernel signals, and the thread that waits for them. */
#include "provider/vfio/vfio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What wakes the thread, besides vectors (by number). */
#define WAKE_STOP    UINT32_MAX
#define WAKE_ERROR   (UINT32_MAX - 1)
#define WAKE_REQUEST (UINT32_MAX - 2)

/* Pass @count eventfds to the kernel, for vectors from @start on; none disable the index. */
static int set_triggers(
	struct vfio_device *device, unsigned index, unsigned start, const int *fds, unsigned count)
{
	size_t size = sizeof(struct vfio_irq_set) + count * sizeof(int);
	struct vfio_irq_set *set = calloc(1, size);
	int status;

	if (!set)
		return -ENOMEM;
	set->argsz = (uint32_t)size;
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		     (count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	set->index = index;
	set->start = start;
	set->count = count;
	if (count)
		memcpy(set->data, fds, count * sizeof(int));
	status = ioctl(device->fd, VFIO_DEVICE_SET_IRQS, set);
	free(set);
	return status < 0 ? -errno : status;
}

static unsigned irq_count(const struct vfio_device *device, unsigned index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	if (index >= device->info.num_irqs ||
		ioctl(device->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) != 0)
		return 0;
	return info.count;
}

static int new_event(struct vfio_device *device, uint32_t what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = what };
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd >= 0 && epoll_ctl(device->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* In vfio_device.direct: the kernel has refused an exchange. */
#define DIRECT_UNKNOWN (-2)

static void drain(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

static void vector_fired(struct vfio_device *device, unsigned vector)
{
	pthread_mutex_lock(&device->irq_lock);
	if (device->sink && vector < device->vectors) {
		drain(device->triggers[vector]);
		device->sink(device->sink_context, vector);
	}
	pthread_mutex_unlock(&device->irq_lock);
}

static void tell(struct vfio_device *device, enum pci_event event)
{
	pci_event_sink sink;
	void *context;

	pthread_mutex_lock(&device->irq_lock);
	sink = device->event_sink;
	context = device->event_context;
	pthread_mutex_unlock(&device->irq_lock);
	if (sink)
		sink(context, event);
}

/*
 * The kernel requests the device back, to unplug it or to bind another driver, and waits until
 * all descriptors of the device are closed.
 */
static void requested(struct vfio_device *device)
{
	vfio_log(device, "the host takes the device back: unplugged, or bound to another driver");
	tell(device, PCI_EVENT_REMOVED);
	vfio_device_close(device);
}

static void *event_thread(void *argument)
{
	struct vfio_device *device = argument;
	struct epoll_event event;

	pthread_setname_np(pthread_self(), "vfio-events");
	for (;;) {
		int ready = epoll_wait(device->epoll, &event, 1, -1);

		if (ready < 0 && errno != EINTR)
			return NULL;
		if (ready <= 0)
			continue;
		switch (event.data.u32) {
		case WAKE_STOP:
			return NULL;
		case WAKE_ERROR:
			drain(device->error_event);
			vfio_log(device, "uncorrectable error (AER): the device needs a reset");
			tell(device, PCI_EVENT_ERROR);
			break;
		case WAKE_REQUEST:
			requested(device);
			return NULL;
		default:
			vector_fired(device, event.data.u32);
		}
	}
}

/* An index of one event that a device need not have. */
static bool connect_event(struct vfio_device *device, unsigned index, uint32_t what, int *fd)
{
	*fd = -1;
	if (!irq_count(device, index))
		return true;
	*fd = new_event(device, what);
	return *fd >= 0 && set_triggers(device, index, 0, fd, 1) >= 0;
}

bool vfio_events_start(struct vfio_device *device, struct spec_error *error)
{
	device->epoll = epoll_create1(EPOLL_CLOEXEC);
	device->stop = device->epoll >= 0 ? new_event(device, WAKE_STOP) : -1;
	if (device->stop < 0 ||
		!connect_event(device, VFIO_PCI_ERR_IRQ_INDEX, WAKE_ERROR, &device->error_event) ||
		!connect_event(
			device, VFIO_PCI_REQ_IRQ_INDEX, WAKE_REQUEST, &device->request_event))
		return spec_fail(error, "vfio: %s: its events cannot be waited for (%s)",
			device->address, strerror(errno));
	errno = pthread_create(&device->thread, NULL, event_thread, device);
	if (errno != 0)
		return spec_fail(
			error, "vfio: %s: no thread (%s)", device->address, strerror(errno));
	device->thread_started = true;
	return true;
}

void vfio_events_stop(struct vfio_device *device)
{
	uint64_t one = 1;
	int *const all[] = { &device->epoll, &device->stop, &device->error_event,
		&device->request_event };

	if (device->thread_started) {
		(void)!write(device->stop, &one, sizeof(one));
		pthread_join(device->thread, NULL);
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (*all[i] >= 0)
			close(*all[i]);
}

static void close_triggers(struct vfio_device *device)
{
	for (unsigned vector = 0; vector < DEXT_VECTORS_MAX; vector++) {
		if (device->triggers[vector] >= 0)
			close(device->triggers[vector]); /* leaves the epoll set as well */
		device->triggers[vector] = -1;
	}
}

void vfio_irq_disable(struct vfio_device *device)
{
	if (device->sink && device->fd >= 0)
		set_triggers(device, device->irq_index, 0, NULL, 0);
	close_triggers(device);
	for (unsigned vector = 0; vector < DEXT_VECTORS_MAX; vector++)
		device->direct[vector] = -1;
	device->sink = NULL;
	device->vectors = 0;
}

static unsigned index_of(enum dext_interrupt_kind kind)
{
	switch (kind) {
	case DEXT_INTERRUPT_MSIX:
		return VFIO_PCI_MSIX_IRQ_INDEX;
	case DEXT_INTERRUPT_MSI:
		return VFIO_PCI_MSI_IRQ_INDEX;
	default:
		return VFIO_PCI_INTX_IRQ_INDEX;
	}
}

/* irq_lock is held. */
static kern_return_t connect_vectors(struct vfio_device *device, unsigned vectors)
{
	int status;

	for (unsigned vector = 0; vector < vectors; vector++) {
		device->triggers[vector] = new_event(device, vector);
		if (device->triggers[vector] < 0)
			return kIOReturnNoResources;
	}
	status = set_triggers(device, device->irq_index, 0, device->triggers, vectors);
	if (status == 0)
		return kIOReturnSuccess;
	if (status > 0)
		vfio_log(device, "the host has %d interrupt vectors left of the %u wanted", status,
			vectors);
	else
		vfio_log(device, "%u interrupt vectors cannot be set up (%s)", vectors,
			strerror(-status));
	return kIOReturnNoResources;
}

kern_return_t vfio_irq_setup(struct pci_provider *provider, enum dext_interrupt_kind kind,
	unsigned vectors, pci_irq_sink sink, void *context)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	kern_return_t status = kIOReturnOffline;

	pthread_rwlock_rdlock(&device->access);
	pthread_mutex_lock(&device->irq_lock);
	if (!device->removed) {
		device->irq_index = index_of(kind);
		/* An interrupt that fires at once must find its sink. */
		device->sink = sink;
		device->sink_context = context;
		device->vectors = vectors;
		status = connect_vectors(device, vectors);
		if (status != kIOReturnSuccess)
			vfio_irq_disable(device);
	}
	pthread_mutex_unlock(&device->irq_lock);
	pthread_rwlock_unlock(&device->access);
	return status;
}

void vfio_irq_teardown(struct pci_provider *provider)
{
	struct vfio_device *device = (struct vfio_device *)provider;

	pthread_rwlock_rdlock(&device->access);
	pthread_mutex_lock(&device->irq_lock);
	vfio_irq_disable(device);
	pthread_mutex_unlock(&device->irq_lock);
	pthread_rwlock_unlock(&device->access);
}

/*
 * Let the kernel signal other eventfds than the triggers. A vector that keeps its own is left out:
 * the kernel exchanges an eventfd by freeing the interrupt and requesting it again. What has fired
 * before the exchange is in the old eventfd; vector_fired() takes it out of a trigger.
 * irq_lock is held.
 */
static kern_return_t exchange_triggers(
	struct vfio_device *device, unsigned first, unsigned count, const int *fds)
{
	kern_return_t result = kIOReturnSuccess;

	for (unsigned i = 0; i < count; i++) {
		unsigned vector = first + i;
		int fd = fds[i] >= 0 ? fds[i] : device->triggers[vector];
		int status;

		if (fds[i] == device->direct[vector])
			continue;
		status = set_triggers(device, device->irq_index, vector, &fd, 1);
		device->direct[vector] = status == 0 ? fds[i] : DIRECT_UNKNOWN;
		if (status == 0)
			continue;
		vfio_log(device, "the eventfd of interrupt vector %u cannot be set (%s)", vector,
			strerror(-status));
		result = kIOReturnIOError;
	}
	return result;
}

kern_return_t vfio_irq_set_eventfds(
	struct pci_provider *provider, unsigned first, unsigned count, const int *fds)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	kern_return_t status = kIOReturnNotReady;
	int none[DEXT_VECTORS_MAX];

	pthread_rwlock_rdlock(&device->access);
	pthread_mutex_lock(&device->irq_lock);
	if (device->removed) {
		status = kIOReturnOffline;
	} else if (device->sink && first < device->vectors && count <= device->vectors - first) {
		status = exchange_triggers(device, first, count, fds);
		if (status != kIOReturnSuccess) {
			memset(none, 0xff, sizeof(none));
			exchange_triggers(device, first, count, none);
		}
	}
	pthread_mutex_unlock(&device->irq_lock);
	pthread_rwlock_unlock(&device->access);
	return status;
}

/* The kernel masks INTx when it fires, until the handler has deasserted the line. */
void vfio_irq_unmask(struct pci_provider *provider)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK,
		.index = VFIO_PCI_INTX_IRQ_INDEX,
		.count = 1,
	};

	pthread_rwlock_rdlock(&device->access);
	pthread_mutex_lock(&device->irq_lock);
	if (!device->removed && device->sink && device->irq_index == VFIO_PCI_INTX_IRQ_INDEX)
		ioctl(device->fd, VFIO_DEVICE_SET_IRQS, &set);
	pthread_mutex_unlock(&device->irq_lock);
	pthread_rwlock_unlock(&device->access);
}

/* The kernel signals the vector's eventfd as if the device had fired. */
kern_return_t vfio_irq_trigger(struct pci_provider *provider, unsigned vector)
{
	struct vfio_device *device = (struct vfio_device *)provider;
	kern_return_t status = kIOReturnNotReady;
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.start = vector,
		.count = 1,
	};

	pthread_rwlock_rdlock(&device->access);
	pthread_mutex_lock(&device->irq_lock);
	if (device->removed) {
		status = kIOReturnOffline;
	} else if (device->sink && vector < device->vectors) {
		set.index = device->irq_index;
		status = ioctl(device->fd, VFIO_DEVICE_SET_IRQS, &set) == 0 ? kIOReturnSuccess :
									      kIOReturnIOError;
	}
	pthread_mutex_unlock(&device->irq_lock);
	pthread_rwlock_unlock(&device->access);
	return status;
}
