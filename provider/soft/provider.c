/* SPDX-License-Identifier: BSD-3-Clause */
/* A software device as a provider: what the driver calls. */
#include "driver/pci-regs.h"
#include "provider/soft/device.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct soft_device *device_of(struct pci_provider *provider)
{
	return (struct soft_device *)provider;
}

static kern_return_t soft_open(struct pci_provider *provider)
{
	(void)provider;	/* a software device is always there */
	return kIOReturnSuccess;
}

static void soft_close(struct pci_provider *provider)
{
	(void)provider;
}

static kern_return_t soft_config_read_op(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t *value)
{
	struct soft_device *device = device_of(provider);

	pthread_mutex_lock(&device->config_lock);
	*value = soft_config_get(&device->config, offset, width);
	pthread_mutex_unlock(&device->config_lock);
	return kIOReturnSuccess;
}

/* Take the copy of COMMAND that those who only look use. config_lock is held. */
static void publish_command(struct soft_device *device)
{
	atomic_store(&device->command, soft_config_get(&device->config, PCI_COMMAND, 2));
}

void soft_device_reset(struct soft_device *device)
{
	pthread_mutex_lock(&device->config_lock);
	soft_config_reset(&device->config);
	publish_command(device);	/* bus mastering is off from here on */
	pthread_mutex_unlock(&device->config_lock);
	device->model->reset(device);
}

static void reset_all(struct soft_device *device)
{
	pthread_rwlock_wrlock(&device->access);
	soft_device_reset(device);
	pthread_rwlock_unlock(&device->access);
}

/* Whether a write of PMCSR resets: D3hot to D0 without No_Soft_Reset. config_lock is held. */
static bool left_d3(const struct soft_config *config, unsigned pm, unsigned old_power)
{
	unsigned power = pm ? soft_config_get(config, pm + PCI_PM_CTRL, 2) : 0;

	return pm && (old_power & PCI_PM_CTRL_STATE) == 3 && !(power & PCI_PM_CTRL_STATE) &&
	       !(power & PCI_PM_CTRL_NO_RESET);
}

/* Whether a write asks for a function level reset: the bit reads as zero, so it is never stored. */
static bool asks_for_flr(const struct soft_config *config, uint32_t offset, uint32_t width,
	uint32_t value)
{
	unsigned pcie = soft_config_find(config, PCI_CAP_ID_EXP);
	unsigned high = pcie + PCI_EXP_DEVCTL + 1;	/* the bit is in the second byte */

	if (!pcie || !(soft_config_get(config, pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR) ||
		high < offset || high >= offset + width)
		return false;
	return (value >> (8 * (high - offset))) & (PCI_EXP_DEVCTL_FLR >> 8);
}

static kern_return_t soft_config_write_op(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t value)
{
	struct soft_device *device = device_of(provider);
	struct soft_config *config = &device->config;
	unsigned old_command, command, power, pm;
	bool reset;

	pthread_mutex_lock(&device->config_lock);
	pm = soft_config_find(config, PCI_CAP_ID_PM);
	old_command = soft_config_get(config, PCI_COMMAND, 2);
	power = pm ? soft_config_get(config, pm + PCI_PM_CTRL, 2) : 0;
	reset = asks_for_flr(config, offset, width, value);
	soft_config_write(config, offset, width, value);
	publish_command(device);
	reset = reset || left_d3(config, pm, power);
	command = soft_config_get(config, PCI_COMMAND, 2);
	pthread_mutex_unlock(&device->config_lock);
	if (reset)
		reset_all(device);
	else if (command != old_command && device->model->command_changed)
		device->model->command_changed(device, (uint16_t)command);
	return kIOReturnSuccess;
}

static kern_return_t soft_bar_read(struct pci_provider *provider, unsigned bar, uint64_t offset,
	unsigned width, uint64_t *value)
{
	struct soft_device *device = device_of(provider);

	pthread_rwlock_rdlock(&device->access);
	*value = device->model->bar_read(device, bar, offset, width);
	pthread_rwlock_unlock(&device->access);
	return kIOReturnSuccess;
}

static kern_return_t soft_bar_write(struct pci_provider *provider, unsigned bar, uint64_t offset,
	unsigned width, uint64_t value)
{
	struct soft_device *device = device_of(provider);

	pthread_rwlock_rdlock(&device->access);
	device->model->bar_write(device, bar, offset, width, value);
	pthread_rwlock_unlock(&device->access);
	return kIOReturnSuccess;
}

static kern_return_t soft_bar_memory(
	struct pci_provider *provider, unsigned bar, int *fd, uint64_t *offset)
{
	struct soft_device *device = device_of(provider);

	if (device->bars[bar].fd < 0)
		return kIOReturnNotReady;
	*fd = device->bars[bar].fd;
	*offset = 0;
	return kIOReturnSuccess;
}

static void soft_bar_mapped(struct pci_provider *provider, unsigned bar, bool mapped)
{
	struct soft_device *device = device_of(provider);
	struct soft_bar *memory = &device->bars[bar];
	bool edge;

	pthread_mutex_lock(&device->map_lock);
	edge = mapped ? memory->mappings++ == 0 : --memory->mappings == 0;
	if (edge && device->model->bar_mapped) {
		pthread_rwlock_rdlock(&device->access);
		device->model->bar_mapped(device, bar, mapped);
		pthread_rwlock_unlock(&device->access);
	}
	pthread_mutex_unlock(&device->map_lock);
}

static kern_return_t soft_dma_map(struct pci_provider *provider,
	const struct dma_request *request, struct dma_segment *segment)
{
	return soft_iommu_map(device_of(provider)->iommu, request, segment);
}

static void soft_dma_unmap(struct pci_provider *provider, const struct dma_segment *segment)
{
	soft_iommu_unmap(device_of(provider)->iommu, segment);
}

static kern_return_t soft_irq_setup(struct pci_provider *provider, enum dext_interrupt_kind kind,
	unsigned vectors, pci_irq_sink sink, void *context)
{
	struct soft_device *device = device_of(provider);

	pthread_mutex_lock(&device->irq_lock);
	device->sink = sink;
	device->sink_context = context;
	device->irq_kind = kind;
	device->irq_vectors = vectors;
	pthread_mutex_unlock(&device->irq_lock);
	return kIOReturnSuccess;
}

static void soft_irq_teardown(struct pci_provider *provider)
{
	struct soft_device *device = device_of(provider);

	pthread_mutex_lock(&device->irq_lock);
	device->sink = NULL;
	pthread_mutex_unlock(&device->irq_lock);
}

/* Whether the device has that kind of reset: the bus can always reset what is on it. */
static bool has_reset(struct soft_device *device, enum pci_reset kind)
{
	unsigned pcie = soft_config_find(&device->config, PCI_CAP_ID_EXP);
	unsigned pm = soft_config_find(&device->config, PCI_CAP_ID_PM);

	switch (kind) {
	case PCI_RESET_FUNCTION:
		return pcie && (soft_config_get(&device->config, pcie + PCI_EXP_DEVCAP, 4) &
				       PCI_EXP_DEVCAP_FLR);
	case PCI_RESET_POWER:
		return pm && !(soft_config_get(&device->config, pm + PCI_PM_CTRL, 2) &
				     PCI_PM_CTRL_NO_RESET);
	default:
		return true;
	}
}

static kern_return_t soft_reset(struct pci_provider *provider, enum pci_reset kind)
{
	struct soft_device *device = device_of(provider);
	bool has;

	pthread_mutex_lock(&device->config_lock);
	has = has_reset(device, kind);
	pthread_mutex_unlock(&device->config_lock);
	if (!has)
		return kIOReturnUnsupported;
	reset_all(device);
	return kIOReturnSuccess;
}

static uint64_t soft_dma_faults(struct pci_provider *provider)
{
	return atomic_load(&device_of(provider)->faults);
}

static void soft_destroy(struct pci_provider *provider)
{
	struct soft_device *device = device_of(provider);

	if (device->private)
		device->model->destroy(device);
	for (unsigned bar = 0; bar < DEXT_BARS; bar++) {
		if (device->bars[bar].memory)
			munmap(device->bars[bar].memory, (size_t)provider->bars[bar].size);
		if (device->bars[bar].fd >= 0)
			close(device->bars[bar].fd);
	}
	soft_iommu_destroy(device->iommu);
	pthread_mutex_destroy(&device->irq_lock);
	pthread_mutex_destroy(&device->map_lock);
	pthread_mutex_destroy(&device->config_lock);
	pthread_rwlock_destroy(&device->access);
	free(device);
}

const struct pci_provider_ops soft_provider_ops = {
	.open = soft_open,
	.close = soft_close,
	.config_read = soft_config_read_op,
	.config_write = soft_config_write_op,
	.bar_read = soft_bar_read,
	.bar_write = soft_bar_write,
	.bar_memory = soft_bar_memory,
	.bar_mapped = soft_bar_mapped,
	.dma_map = soft_dma_map,
	.dma_unmap = soft_dma_unmap,
	.irq_setup = soft_irq_setup,
	.irq_teardown = soft_irq_teardown,
	.reset = soft_reset,
	.dma_faults = soft_dma_faults,
	.destroy = soft_destroy,
};
