/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dext-vfio-user-driver.h"

#include <stdio.h>

bool driver_available(void)
{
	return false;
}

bool driver_check(const char *spec, char *error, size_t size)
{
	(void)spec;
	snprintf(error, size, "this program was built without a driver");
	return false;
}

struct dext_driver *driver_create(
	const char *spec, struct pci_address *address, bool *is_invalid, char *error, size_t size)
{
	(void)address;
	*is_invalid = true;
	driver_check(spec, error, size);
	return NULL;
}

void driver_destroy(struct dext_driver *driver)
{
	(void)driver;
}

void driver_print_types(void)
{
}

bool driver_service_find(const char *socket, char *error, size_t size)
{
	(void)socket, (void)error, (void)size;
	return true;
}
