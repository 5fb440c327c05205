/* SPDX-License-Identifier: BSD-3-Clause */
/* The provider operations of a software device. */
#include "common/pci-regs.h"
#include "provider/soft/device.h"

#include <stdlib.h>
#include <string.h>

static struct soft_device *device_of(struct pci_provider *provider)
{
	return (struct soft_device *)provider;
}

static kern_return_t soft_open(struct pci_provider *provider)
{
	(void)provider; /* nothing to open */
	return kIOReturnSuccess;
}

static void soft_close(struct pci_provider *provider)
{
	(void)provider;
}

/* The value of a read that no device responds to. */
static uint64_t all_ones(unsigned width)
{
	return UINT64_MAX >> (64 - 8 * width);
}

/* Only a device without MSI and MSI-X uses its pin, and reports it in STATUS. */
static bool line_asserted(struct soft_device *device)
{
	bool asserted;

	if (!device->model->line || soft_config_find(&device->config, PCI_CAP_ID_MSI) ||
		soft_config_find(&device->config, PCI_CAP_ID_MSIX))
		return false;
	pthread_rwlock_rdlock(&device->access);
	asserted = device->model->line(device);
	pthread_rwlock_unlock(&device->access);
	return asserted;
}

static kern_return_t soft_config_read_op(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t *value)
{
	struct soft_device *device = device_of(provider);

	if (!soft_responds(device)) {
		*value = (uint32_t)all_ones(width);
		return kIOReturnSuccess;
	}
	pthread_mutex_lock(&device->config_lock);
	*value = soft_config_get(&device->config, offset, width);
	pthread_mutex_unlock(&device->config_lock);
	if (offset <= PCI_STATUS && offset + width > PCI_STATUS && line_asserted(device))
		*value |= PCI_STATUS_INTERRUPT << 8 * (PCI_STATUS - offset);
	return kIOReturnSuccess;
}

static kern_return_t soft_config_read_block(
	struct pci_provider *provider, uint32_t offset, uint8_t *bytes, uint32_t length)
{
	struct soft_device *device = device_of(provider);

	if (!soft_responds(device)) {
		memset(bytes, 0xff, length);
		return kIOReturnSuccess;
	}
	pthread_mutex_lock(&device->config_lock);
	memcpy(bytes, device->config.value + offset, length);
	pthread_mutex_unlock(&device->config_lock);
	if (offset <= PCI_STATUS && length > PCI_STATUS - offset && line_asserted(device))
		bytes[PCI_STATUS - offset] |= PCI_STATUS_INTERRUPT;
	return kIOReturnSuccess;
}

void soft_update_command(struct soft_device *device)
{
	atomic_store(&device->command, soft_config_get(&device->config, PCI_COMMAND, 2));
}

/* Whether a write of PMCSR reset: D3hot to D0 without No_Soft_Reset. config_lock is held. */
static bool is_power_reset(const struct soft_config *config, unsigned pm, unsigned old_power)
{
	unsigned power = pm ? soft_config_get(config, pm + PCI_PM_CTRL, 2) : 0;

	return pm && (old_power & PCI_PM_CTRL_STATE_MASK) == 3 &&
	       !(power & PCI_PM_CTRL_STATE_MASK) && !(power & PCI_PM_CTRL_NO_SOFT_RESET);
}

/* Whether a write starts a function level reset. The bit always reads as zero. */
static bool is_flr(
	const struct soft_config *config, uint32_t offset, uint32_t width, uint32_t value)
{
	unsigned pcie = soft_config_find(config, PCI_CAP_ID_EXP);
	unsigned high = pcie + PCI_EXP_DEVCTL + 1; /* the bit is in the second byte */

	if (!pcie || !(soft_config_get(config, pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR) ||
		high < offset || high >= offset + width)
		return false;
	return (value >> (8 * (high - offset))) & (PCI_EXP_DEVCTL_BCR_FLR >> 8);
}

/* The side effects of a config write. */
struct config_effects {
	bool command_changed, line_enabled;
	uint16_t command;
	bool resets;
	enum pci_reset kind;
};

/* config_lock is held. */
static struct config_effects write_config(
	struct soft_device *device, uint32_t offset, uint32_t width, uint32_t value)
{
	struct soft_config *config = &device->config;
	unsigned pm = soft_config_find(config, PCI_CAP_ID_PM);
	unsigned power = pm ? soft_config_get(config, pm + PCI_PM_CTRL, 2) : 0;
	unsigned command = soft_config_get(config, PCI_COMMAND, 2);
	struct config_effects effects = { .kind = PCI_RESET_FUNCTION };

	effects.resets = is_flr(config, offset, width, value);
	soft_config_write(config, offset, width, value);
	soft_update_command(device);
	if (!effects.resets && is_power_reset(config, pm, power)) {
		effects.resets = true;
		effects.kind = PCI_RESET_POWER;
	}
	effects.command = (uint16_t)soft_config_get(config, PCI_COMMAND, 2);
	effects.command_changed = effects.command != command;
	effects.line_enabled = command & ~(unsigned)effects.command & PCI_COMMAND_INTX_DISABLE;
	return effects;
}

/* Passes the current COMMAND, since concurrent writes can arrive here in another order. */
static void notify_command(struct soft_device *device)
{
	pthread_rwlock_rdlock(&device->access);
	device->model->command_changed(device, (uint16_t)atomic_load(&device->command));
	pthread_rwlock_unlock(&device->access);
}

static kern_return_t soft_config_write_op(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t value)
{
	struct soft_device *device = device_of(provider);
	struct config_effects effects;

	if (!soft_responds(device))
		return kIOReturnSuccess; /* the write is lost, as on a bus */
	pthread_mutex_lock(&device->config_lock);
	effects = write_config(device, offset, width, value);
	pthread_mutex_unlock(&device->config_lock);
	if (effects.resets)
		soft_begin_reset(device, effects.kind);
	else if (effects.command_changed && device->model->command_changed)
		notify_command(device);
	/* The line was asserted while it was disabled. */
	if (effects.line_enabled && line_asserted(device))
		soft_irq_raise(device, 0);
	return kIOReturnSuccess;
}

static kern_return_t soft_bar_read(struct pci_provider *provider, unsigned bar, uint64_t offset,
	unsigned width, uint64_t *value)
{
	struct soft_device *device = device_of(provider);

	pthread_rwlock_rdlock(&device->access);
	*value = soft_responds(device) ? device->model->bar_read(device, bar, offset, width) :
					 all_ones(width);
	pthread_rwlock_unlock(&device->access);
	return kIOReturnSuccess;
}

static kern_return_t soft_bar_write(struct pci_provider *provider, unsigned bar, uint64_t offset,
	unsigned width, uint64_t value)
{
	struct soft_device *device = device_of(provider);

	pthread_rwlock_rdlock(&device->access);
	if (soft_responds(device))
		device->model->bar_write(device, bar, offset, width, value);
	pthread_rwlock_unlock(&device->access);
	return kIOReturnSuccess;
}

static kern_return_t soft_dma_map(struct pci_provider *provider, const struct dma_request *request,
	struct dma_segment *segment)
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

static uint64_t soft_dma_faults(struct pci_provider *provider)
{
	return atomic_load(&device_of(provider)->faults);
}

static void soft_dma_limits(struct pci_provider *provider, struct dma_limits *limits)
{
	soft_iommu_get_limits(device_of(provider)->iommu, limits);
}

static kern_return_t soft_irq_trigger(struct pci_provider *provider, unsigned vector)
{
	soft_irq_raise(device_of(provider), vector);
	return kIOReturnSuccess;
}

/*
 * Surprise removal: from here on the device accesses nothing and does not respond. The model
 * is reset so that its thread becomes idle.
 */
static kern_return_t soft_remove(struct pci_provider *provider)
{
	struct soft_device *device = device_of(provider);

	if (atomic_exchange(&device->removed, true))
		return kIOReturnOffline;
	pthread_rwlock_wrlock(&device->access);
	soft_reset_model(device);
	pthread_rwlock_unlock(&device->access);
	return kIOReturnSuccess;
}

static void soft_destroy(struct pci_provider *provider)
{
	struct soft_device *device = device_of(provider);

	if (device->private) {
		atomic_store(&device->command, 0); /* no bus mastering */
		soft_end_model(device);
	}
	for (unsigned bar = 0; bar < DEXT_BARS; bar++)
		soft_bar_destroy(&device->bars[bar]);
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
	.config_read_block = soft_config_read_block,
	.bar_read = soft_bar_read,
	.bar_write = soft_bar_write,
	.bar_memory = soft_bar_memory,
	.bar_unmapped = soft_bar_unmapped,
	.dma_map = soft_dma_map,
	.dma_unmap = soft_dma_unmap,
	.irq_setup = soft_irq_setup,
	.irq_teardown = soft_irq_teardown,
	.reset = soft_reset,
	.dma_faults = soft_dma_faults,
	.dma_limits = soft_dma_limits,
	.irq_trigger = soft_irq_trigger,
	.remove = soft_remove,
	.destroy = soft_destroy,
};
