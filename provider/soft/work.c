/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions for models at run time: DMA, interrupts, log lines. */
#include "common/pci-regs.h"
#include "provider/soft/device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

bool soft_bus_master(struct soft_device *device)
{
	return (atomic_load(&device->command) & PCI_COMMAND_MASTER) &&
	       !atomic_load(&device->removed);
}

/*
 * Log an access that has failed. It counts as a DMA fault if it was to an unmapped address. While
 * bus mastering is disabled a function issues no requests (PCI 3.0, 6.2.2), so none can fault: a
 * host disables it in the middle of a transfer when it resets a device that works.
 */
static void access_failed(
	struct soft_device *device, const char *what, uint64_t address, size_t length)
{
	if (soft_bus_master(device)) {
		atomic_fetch_add(&device->faults, 1);
		soft_log(device,
			"master abort: %s of %zu bytes at bus address %#llx: not mapped, or gone",
			what, length, (unsigned long long)address);
	} else {
		soft_log(device,
			"%s of %zu bytes at bus address %#llx dropped: bus mastering is disabled",
			what, length, (unsigned long long)address);
	}
}

bool soft_dma_read(struct soft_device *device, uint64_t bus_address, void *buffer, size_t length)
{
	if (soft_bus_master(device) && soft_iommu_read(device->iommu, bus_address, buffer, length))
		return true;
	access_failed(device, "read", bus_address, length);
	return false;
}

bool soft_dma_write(
	struct soft_device *device, uint64_t bus_address, const void *buffer, size_t length)
{
	if (soft_bus_master(device) && soft_iommu_write(device->iommu, bus_address, buffer, length))
		return true;
	access_failed(device, "write", bus_address, length);
	return false;
}

static size_t total(const struct dma_segment *segments, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++)
		length += (size_t)segments[i].length;
	return length;
}

int soft_dma_from_file(struct soft_device *device, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset, bool may_wait)
{
	int status = -EFAULT;

	if (soft_bus_master(device))
		status = soft_iommu_from_file(device->iommu, segments, count, fd, offset, may_wait);
	if (status == -EFAULT)
		access_failed(device, "write", segments[0].bus_address, total(segments, count));
	return status;
}

int soft_dma_to_file(struct soft_device *device, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset)
{
	int status = -EFAULT;

	if (soft_bus_master(device))
		status = soft_iommu_to_file(device->iommu, segments, count, fd, offset);
	if (status == -EFAULT)
		access_failed(device, "read", segments[0].bus_address, total(segments, count));
	return status;
}

/* Whether COMMAND enables the kind of interrupts in use: a message is a bus master's write. */
static bool interrupts_enabled(struct soft_device *device)
{
	unsigned command = atomic_load(&device->command);

	if (atomic_load(&device->removed))
		return false;
	return device->irq_kind == DEXT_INTERRUPT_INTX ? !(command & PCI_COMMAND_INTX_DISABLE) :
							 command & PCI_COMMAND_MASTER;
}

void soft_irq_raise(struct soft_device *device, unsigned vector)
{
	pthread_mutex_lock(&device->irq_lock);
	if (device->sink && interrupts_enabled(device)) {
		if (vector >= device->irq_vectors)
			vector = device->irq_vectors - 1;
		device->sink(device->sink_context, vector);
	}
	pthread_mutex_unlock(&device->irq_lock);
}

const char *soft_name(const struct soft_device *device)
{
	return device->name;
}

/* Lines a second, since a guest can cause any number of errors. */
#define LOG_LINES 4

void soft_log(struct soft_device *device, const char *format, ...)
{
	uint64_t second = (uint64_t)time(NULL) * 64, seen = atomic_load(&device->log_second), next;
	char text[256];
	va_list args;

	do {
		next = seen >= second && seen < second + 64 ? seen + 1 : second + 1;
		if (next > second + LOG_LINES)
			return;
	} while (!atomic_compare_exchange_weak(&device->log_second, &seen, next));
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "%s: %s\n", device->name, text);
}

void soft_log_always(struct soft_device *device, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	flockfile(stderr);
	fprintf(stderr, "%s: ", device->name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	funlockfile(stderr);
	va_end(args);
}
