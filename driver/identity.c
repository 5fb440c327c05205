/* SPDX-License-Identifier: BSD-3-Clause */
/* What the driver says of its device. */
#include "driver/internal.h"

kern_return_t dext_handle_GetIdentity(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	const struct dext_driver *driver = client->driver;

	(void)in, (void)arguments;
	out[DEXT_IDENTITY_BUS] = driver->provider->address.bus;
	out[DEXT_IDENTITY_DEVICE] = driver->provider->address.device;
	out[DEXT_IDENTITY_FUNCTION] = driver->provider->address.function;
	out[DEXT_IDENTITY_VENDOR_ID] = driver->vendor_id;
	out[DEXT_IDENTITY_DEVICE_ID] = driver->device_id;
	out[DEXT_IDENTITY_CLASS_CODE] = driver->class_code;
	return kIOReturnSuccess;
}

kern_return_t dext_handle_GetStatus(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;
	struct dext_client *other;
	uint64_t clients = 0, regions = 0, bytes = 0;

	(void)in, (void)arguments;
	pthread_mutex_lock(&driver->lock);
	TAILQ_FOREACH (other, &driver->clients, link) {
		clients++;
		regions += atomic_load(&other->region_count);
		bytes += atomic_load(&other->bytes_wired);
	}
	out[DEXT_STATUS_CLAIMS] = driver->claims;
	out[DEXT_STATUS_FLAGS] = (client->claimed ? DEXT_STATUS_CLAIMED_BY_CALLER : 0) |
				 (driver->exclusive ? DEXT_STATUS_CLAIMED_EXCLUSIVE : 0);
	pthread_mutex_unlock(&driver->lock);
	out[DEXT_STATUS_CLIENTS] = clients;
	out[DEXT_STATUS_VECTORS] = driver->vectors;
	out[DEXT_STATUS_INTERRUPT_KIND] = driver->interrupt_kind;
	out[DEXT_STATUS_REGIONS] = regions;
	out[DEXT_STATUS_BYTES_WIRED] = bytes;
	out[DEXT_STATUS_DMA_FAULTS] = driver->provider->ops->dma_faults(driver->provider);
	out[DEXT_STATUS_RESETS] = atomic_load(&driver->resets);
	return kIOReturnSuccess;
}
