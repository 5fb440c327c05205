/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of BARs that clients map.
 *
 * A client cannot be forced to close a descriptor or to unmap memory. When the last mapping of a
 * BAR ends, the memory is therefore replaced by new memory with the same content, at the same
 * address in this process. Clients that still have the old memory no longer reach the device.
 *
 * The new memory is allocated before the first mapping, so that the replacement does not fail for
 * lack of memory or descriptors.
 */
#include "provider/soft/device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Memory whose size is sealed. Return: its descriptor, or -1 with errno. */
static int make_memory(uint64_t size)
{
	int fd = memfd_create("dext-bar", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error;

	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)size) == 0 &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

bool soft_bar_create(struct soft_bar *bar, uint64_t size)
{
	void *memory = MAP_FAILED;

	bar->fd = make_memory(size);
	if (bar->fd >= 0)
		memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, bar->fd, 0);
	if (memory == MAP_FAILED)
		return false;
	bar->memory = memory;
	bar->size = size;
	return true;
}

void soft_bar_destroy(struct soft_bar *bar)
{
	if (bar->memory)
		munmap(bar->memory, (size_t)bar->size);
	if (bar->fd >= 0)
		close(bar->fd);
	if (bar->spare >= 0)
		close(bar->spare);
}

/* Copy the content to the spare. Return: false when memory is out; the rest is then zero. */
static bool copy(const struct soft_bar *bar)
{
	uint64_t done = 0;

	while (done < bar->size) {
		ssize_t written = pwrite(bar->spare, (const char *)bar->memory + done,
			(size_t)(bar->size - done), (off_t)done);

		if (written > 0)
			done += (uint64_t)written;
		else if (written == 0 || errno != EINTR)
			return false;
	}
	return true;
}

/*
 * Replace the memory by the spare. map_lock is held. The model's lock prevents stores of the
 * model between copy and replacement; the replacement by mmap() is atomic.
 */
static bool replace_memory(struct soft_device *device, struct soft_bar *bar)
{
	bool copied, replaced;

	pthread_rwlock_rdlock(&device->access);
	pthread_mutex_lock(device->memory_lock);
	copied = copy(bar);
	replaced = mmap(bar->memory, (size_t)bar->size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, bar->spare, 0) != MAP_FAILED;
	pthread_mutex_unlock(device->memory_lock);
	pthread_rwlock_unlock(&device->access);
	if (!replaced) {
		soft_log(device, "the memory of a BAR cannot be replaced (%s): it cannot be mapped",
			strerror(errno));
		return false;
	}
	if (!copied)
		soft_log(device, "out of memory: registers of a BAR are zero");
	/* Keep the descriptor's number, so that the set of open descriptors does not change. */
	if (dup3(bar->spare, bar->fd, O_CLOEXEC) >= 0) {
		close(bar->spare);
	} else {
		close(bar->fd);
		bar->fd = bar->spare;
	}
	bar->spare = -1;
	return true;
}

/* The first mapping began, or the last one ended. map_lock is held. */
static void notify_model(struct soft_device *device, unsigned bar, bool mapped)
{
	if (!device->model->bar_mapped)
		return;
	pthread_rwlock_rdlock(&device->access);
	device->model->bar_mapped(device, bar, mapped);
	pthread_rwlock_unlock(&device->access);
}

/* Allocate the spare before the first mapping. map_lock is held. */
static bool prepare(struct soft_device *device, struct soft_bar *bar)
{
	/* The last replacement failed: try it again. */
	if (bar->spare >= 0 && !replace_memory(device, bar))
		return false;
	bar->spare = make_memory(bar->size);
	return bar->spare >= 0;
}

kern_return_t soft_bar_memory(
	struct pci_provider *provider, unsigned bar, struct pci_bar_memory *memory)
{
	struct soft_device *device = (struct soft_device *)provider;
	struct soft_bar *own = &device->bars[bar];
	kern_return_t status = kIOReturnSuccess;

	if (!own->memory)
		return kIOReturnNotReady;
	pthread_mutex_lock(&device->map_lock);
	if (own->mappings == 0 && !prepare(device, own))
		status = kIOReturnNoResources;
	if (status == kIOReturnSuccess) {
		*memory = (struct pci_bar_memory){ .fd = own->fd };
		if (own->mappings++ == 0)
			notify_model(device, bar, true);
	}
	pthread_mutex_unlock(&device->map_lock);
	return status;
}

void soft_bar_unmapped(struct pci_provider *provider, unsigned bar)
{
	struct soft_device *device = (struct soft_device *)provider;
	struct soft_bar *memory = &device->bars[bar];

	pthread_mutex_lock(&device->map_lock);
	if (--memory->mappings == 0) {
		replace_memory(device, memory);
		notify_model(device, bar, false);
	}
	pthread_mutex_unlock(&device->map_lock);
}
