/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What dext-vfio-user can only do with iokit/, driver/ and provider/: drivers in its own process
 * (--device), and a driver service at a socket (--driver). On macOS there is neither:
 * dext-vfio-user-driver-none.c replaces dext-vfio-user-driver.c.
 */
#ifndef TOOLS_DEXT_VFIO_USER_DRIVER_H
#define TOOLS_DEXT_VFIO_USER_DRIVER_H

#include "common/pci-address.h"

#include <stdbool.h>
#include <stddef.h>

struct dext_driver;

/** driver_available - whether this build has both; else the functions below fail. */
bool driver_available(void);

/** driver_check - whether a specification can be parsed. Return: false, with @error filled in. */
bool driver_check(const char *spec, char *error, size_t size);

/**
 * driver_create - create a device and its driver, and publish it in this process
 * @spec: TYPE,key=value,...
 * @address: set to the device's address
 * @is_invalid: set to whether the specification is invalid
 * @error: set to one line on an error
 *
 * Return: the driver, for driver_destroy(), or NULL.
 */
struct dext_driver *driver_create(
	const char *spec, struct pci_address *address, bool *is_invalid, char *error, size_t size);
void driver_destroy(struct dext_driver *driver);

/** driver_print_types - print the types of devices for --help. */
void driver_print_types(void);

/**
 * driver_service_find - whether a driver service answers
 * @socket: of the service; NULL for the default
 *
 * On macOS there is no service to find: the registry has all driver extensions.
 *
 * Return: false, with @error filled in.
 */
bool driver_service_find(const char *socket, char *error, size_t size);

#endif
