/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What dext-vfio-user has with iokit/, driver/ and provider/ alone: a driver in its own process
 * (--device), and a driver service at a socket (--driver). With Apple's IOKit there is neither:
 * dext-vfio-user-driver-none.c takes the place of dext-vfio-user-driver.c.
 */
#ifndef TOOLS_DEXT_VFIO_USER_DRIVER_H
#define TOOLS_DEXT_VFIO_USER_DRIVER_H

#include "common/pci-address.h"

#include <stdbool.h>
#include <stddef.h>

struct dext_driver;

/** driver_available - whether this build has both; without them the functions below fail. */
bool driver_available(void);

/** driver_check - whether a specification can be parsed. Return: false, with @error filled in. */
bool driver_check(const char *spec, char *error, size_t size);

/**
 * driver_create - make a device and the driver of it, which publishes it in this process
 * @spec: TYPE,key=value,...
 * @address: set to the device's address
 * @is_invalid: set to whether the specification was at fault
 * @error: one line, on failure
 *
 * Return: the driver, for driver_destroy(), or NULL.
 */
struct dext_driver *driver_create(
	const char *spec, struct pci_address *address, bool *is_invalid, char *error, size_t size);
void driver_destroy(struct dext_driver *driver);

/** driver_print_types - the types of devices that driver_create() makes, for --help. */
void driver_print_types(void);

/**
 * driver_service_find - whether a driver service answers
 * @socket: of the service; NULL for the usual one
 *
 * With Apple's IOKit the registry has all driver extensions, and there is nothing to find.
 *
 * Return: false, with @error filled in.
 */
bool driver_service_find(const char *socket, char *error, size_t size);

#endif
