/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dext-vfio-user-driver.h"
#include "driver/driver.h"
#include "provider/spec.h"

#include <iokit-user/service.h>
#include <stdio.h>
#include <stdlib.h>

bool driver_available(void)
{
	return true;
}

bool driver_check(const char *text, char *error, size_t size)
{
	struct spec_error problem;
	struct device_spec spec;

	if (!spec_parse(text, &spec, &problem)) {
		snprintf(error, size, "%s", problem.text);
		return false;
	}
	spec_free(&spec);
	return true;
}

struct dext_driver *driver_create(
	const char *spec, struct pci_address *address, bool *is_invalid, char *error, size_t size)
{
	struct spec_error problem = { .is_invalid = false };
	struct pci_provider *provider = provider_create(spec, &problem);
	struct dext_driver *driver;

	*is_invalid = !provider && problem.is_invalid;
	if (!provider) {
		snprintf(error, size, "%s", problem.text);
		return NULL;
	}
	*address = provider->address;
	driver = dext_driver_create(provider);
	if (!driver)
		snprintf(error, size, "the device does not answer, or memory is out");
	return driver;
}

void driver_destroy(struct dext_driver *driver)
{
	if (driver)
		dext_driver_destroy(driver);
}

void driver_print_types(void)
{
	provider_print_types();
}

bool driver_service_find(const char *socket, char *error, size_t size)
{
	if (socket && setenv("DEXT_SOCKET", socket, 1) != 0) {
		snprintf(error, size, "out of memory");
		return false;
	}
	return iouser_service_probe(error, size);
}
