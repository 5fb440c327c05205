/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver extension: a driver owns a PCI device and serves its clients. */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include "driver/provider.h"

struct dext_driver;

/**
 * dext_driver_create - take ownership of a device and publish it in this process's registry
 * @provider: the device; ownership passes to this function, also on failure
 *
 * Clients in this process find it at once, those in other processes when an iouser_server
 * (iokit-user/service.h) serves them.
 *
 * Return: the driver, or NULL when memory is out or the device does not respond.
 */
struct dext_driver *dext_driver_create(struct pci_provider *provider);

/* The most that one client may hold. */
struct dext_quotas {
	unsigned regions;     /* at most DEXT_REGIONS_MAX; past it kIOReturnNoSpace */
	uint64_t bytes_wired; /* regions and buffer together; past it kIOReturnNoResources */
};

/**
 * dext_driver_set_quotas - limit what a client may hold
 *
 * The defaults are DEXT_REGIONS_MAX regions and any number of bytes. Call it before a server
 * serves the driver.
 */
void dext_driver_set_quotas(struct dext_driver *driver, const struct dext_quotas *quotas);

/**
 * dext_driver_destroy - withdraw the service and free driver and provider
 *
 * Waits until all clients have closed: disconnect them first (iouser_server_destroy()).
 */
void dext_driver_destroy(struct dext_driver *driver);

#endif
