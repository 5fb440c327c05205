/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver extension: one driver owns one PCI device and serves its clients. */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include "driver/provider.h"

struct dext_driver;

/**
 * dext_driver_create - own a device and publish it in this process's registry
 * @provider: the device; belongs to the driver from here on, also on failure
 *
 * Clients of this process find it at once; those of others when an
 * iouser_server (iokit-user/service.h) serves them.
 *
 * Return: the driver, or NULL when memory is out or the device does not answer.
 */
struct dext_driver *dext_driver_create(struct pci_provider *provider);

/* What one client may hold. */
struct dext_quotas {
	unsigned regions;     /* at most DEXT_REGIONS_MAX; past it kIOReturnNoSpace */
	uint64_t bytes_wired; /* regions and buffer together; past it kIOReturnNoResources */
};

/**
 * dext_driver_set_quotas - limit what a client may hold
 *
 * Without it: DEXT_REGIONS_MAX regions, any number of bytes. Before the driver is served.
 */
void dext_driver_set_quotas(struct dext_driver *driver, const struct dext_quotas *quotas);

/**
 * dext_driver_destroy - withdraw the service and free driver and provider
 *
 * Waits until no client is left: cut them off first (iouser_server_destroy()).
 */
void dext_driver_destroy(struct dext_driver *driver);

#endif
