/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be done to a software device from outside: pull it out, make it interrupt. */
#include "provider/soft/device.h"

/*
 * Surprise removal: no access of the device's own passes from here on, and none to it
 * is answered. The model is reset so that its threads come to rest.
 */
kern_return_t soft_remove(struct pci_provider *provider)
{
	struct soft_device *device = (struct soft_device *)provider;

	if (atomic_exchange(&device->removed, true))
		return kIOReturnOffline;
	pthread_rwlock_wrlock(&device->access);
	soft_reset_model(device);
	pthread_rwlock_unlock(&device->access);
	return kIOReturnSuccess;
}

kern_return_t soft_irq_trigger(struct pci_provider *provider, unsigned vector)
{
	soft_irq_raise((struct soft_device *)provider, vector);
	return kIOReturnSuccess;
}

void soft_dma_limits(struct pci_provider *provider, struct dma_limits *limits)
{
	soft_iommu_get_limits(((struct soft_device *)provider)->iommu, limits);
}
